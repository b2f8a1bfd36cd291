import { type Change, Compacted, RevisionMismatch, type Store, type StoredRow, type Write } from '../store/store.ts'

/** A store without a disk, for simulations: a write is committed before the call returns. */
export class MemoryStore implements Store {
  readonly #rows = new Map<string, StoredRow>()
  readonly #listeners: ((change: Change) => void)[] = []
  #log: Change[] = []
  #revision = 0
  #compacted = 0

  get revision(): number {
    return this.#revision
  }

  get compactedRevision(): number {
    return this.#compacted
  }

  all(): Iterable<StoredRow> {
    return [...this.#rows.values()]
  }

  at(): StoredRow[] {
    throw new Error('the memory store has no past states')
  }

  since(prefix: string, revision: number): Change[] {
    if (revision < this.#compacted) throw new Compacted(revision, this.#compacted)
    return this.#log.filter((change) => change.revision > revision && change.key.startsWith(prefix))
  }

  write({ key, expectedRevision, value }: Write): Promise<number> {
    const row = this.#rows.get(key)
    const actual = row?.revision ?? 0
    if (actual !== expectedRevision) return Promise.reject(new RevisionMismatch(key, actual))
    this.#revision += 1
    const revision = this.#revision
    if (value === undefined) this.#rows.delete(key)
    else this.#rows.set(key, { key, revision, value })
    const previous = row && { revision: row.revision, value: row.value }
    const change = { revision, key, value, previous }
    this.#log.push(change)
    for (const listener of this.#listeners) listener(change)
    return Promise.resolve(revision)
  }

  onCommit(listener: (change: Change) => void): void {
    this.#listeners.push(listener)
  }

  compact(revision: number): Promise<void> {
    this.#compacted = Math.max(this.#compacted, revision)
    this.#log = this.#log.filter((change) => change.revision > revision)
    return Promise.resolve()
  }

  backup(): Promise<void> {
    return Promise.reject(new Error('the memory store has no file'))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
