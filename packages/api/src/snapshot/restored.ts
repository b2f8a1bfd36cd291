/** One time a snapshot was restored, as its `restored` annotation keeps it after the restore is gone. */
export interface RestoredEntry {
  /** When the restore was complete, RFC 3339. */
  time: string
  /** Name of the virtual machine it was restored into. */
  target: string
  /** Name of the VirtualMachineRestore. */
  restore: string
  /** UID of the VirtualMachineRestore. */
  uid?: string
}

/**
 * The entries of a `restored` annotation, oldest first; what is not one of ours is passed over, because anybody may
 * write annotations.
 */
export function parseRestored(text: string | undefined): RestoredEntry[] {
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  return value.flatMap(entryOf).sort((a, b) => Date.parse(a.time) - Date.parse(b.time))
}

function entryOf(value: unknown): RestoredEntry[] {
  const { time, target, restore, uid } = (value ?? {}) as Partial<Record<keyof RestoredEntry, unknown>>
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time))) return []
  if (typeof target !== 'string' || typeof restore !== 'string') return []
  return [{ time, target, restore, ...(typeof uid === 'string' ? { uid } : {}) }]
}
