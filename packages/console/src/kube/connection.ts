// Whether the server answers: what the banner shows. Watches and requests report here.

export interface Connection {
  /** Undefined while all is well. */
  lostSinceMs: number | undefined
}

let connection: Connection = { lostSinceMs: undefined }
const failing = new Set<object>()
const listeners = new Set<() => void>()

/** Tells how a stream fares; `who` stands for it until it works again or is given up. */
export function reportStream(who: object, works: boolean): void {
  if (works) failing.delete(who)
  else failing.add(who)
  const lost = failing.size > 0
  if (lost === (connection.lostSinceMs !== undefined)) return
  connection = { lostSinceMs: lost ? Date.now() : undefined }
  for (const listener of listeners) listener()
}

export const connectionStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
  get: (): Connection => connection,
}
