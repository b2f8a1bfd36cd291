/** One live object as it is kept: canonical JSON without its resourceVersion, which is `revision`. */
export interface StoredRow {
  key: string
  revision: number
  value: string
}

/** One committed write. `value` is undefined for a deletion, `previous` for a creation. */
export interface Change {
  revision: number
  key: string
  value: string | undefined
  previous: { revision: number; value: string } | undefined
}

/** A checked write: it happens only if the key's revision still is `expectedRevision` (0: the key does not exist). */
export interface Write {
  key: string
  expectedRevision: number
  value: string | undefined
}

/** Somebody else has written the key first. */
export class RevisionMismatch extends Error {
  readonly key: string
  readonly actualRevision: number
  constructor(key: string, actualRevision: number) {
    super(`${key} is at revision ${actualRevision}`)
    this.name = 'RevisionMismatch'
    this.key = key
    this.actualRevision = actualRevision
  }
}

/** The history asked for is gone. */
export class Compacted extends Error {
  readonly revision: number
  readonly compactedRevision: number
  constructor(revision: number, compactedRevision: number) {
    super(`revision ${revision} is compacted, the oldest kept is ${compactedRevision}`)
    this.name = 'Compacted'
    this.revision = revision
    this.compactedRevision = compactedRevision
  }
}

/**
 * What the API layer needs of a storage engine. One revision counter for all keys: each committed write gets the next
 * number, and a number once given out is never used again, also not after a crash.
 */
export interface Store {
  /** The newest committed revision. */
  readonly revision: number
  /** Events and states older than this are gone. */
  readonly compactedRevision: number
  /** The newest state of everything. */
  all(): Iterable<StoredRow>
  /**
   * The state of all keys with this prefix at a past revision, in key order; of a page: at most `count` from the key
   * `from` on. Throws Compacted.
   */
  at(prefix: string, revision: number, page?: { from: string; count: number }): StoredRow[]
  /** What was committed to keys with this prefix after a revision, in order. Throws Compacted. */
  since(prefix: string, revision: number): Change[]
  /** Resolves with the new revision once the write is durable; rejects with RevisionMismatch when it lost a race. */
  write(write: Write): Promise<number>
  /** Called once per durable write, in revision order, before the promise of that write resolves. */
  onCommit(listener: (change: Change) => void): void
  /** Forgets history up to and including `revision`; the states still current then stay. */
  compact(revision: number): Promise<void>
  /** Copies the store to a new file, consistently, while it is in use. */
  backup(path: string): Promise<void>
  close(): Promise<void>
}
