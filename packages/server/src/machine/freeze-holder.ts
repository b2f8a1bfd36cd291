/**
 * Who has a guest frozen. A snapshot, a backup hook and a person may all freeze the same guest; whoever gives a name
 * of its own is the only one to end its freeze, so that nobody cuts disks in a window that somebody else has closed.
 */
const longest = 253

/** Why a value cannot name a holder; undefined when it can, or when it is absent. */
export function whyNoHolder(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && value.length <= longest && /^[\x20-\x7e]+$/.test(value)) return undefined
  return `holder: must be a string of 1 to ${longest} printable ASCII characters; leave it out to freeze without a holder`
}

export interface FreezeHold {
  readonly holder: string
  readonly leftMs: number
}

/** The guest is frozen on behalf of another: not an error of the guest, and over by itself. */
export class FreezeHeldError extends Error {
  readonly holder: string | undefined
  readonly leftMs: number

  constructor(holder: string | undefined, leftMs: number) {
    super(
      `guest is frozen by ${holder ?? 'a client that gave no holder'} for at most ${Math.ceil(leftMs / 1_000)} s more`,
    )
    this.name = 'FreezeHeldError'
    this.holder = holder
    this.leftMs = leftMs
  }
}
