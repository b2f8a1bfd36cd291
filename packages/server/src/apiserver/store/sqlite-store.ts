import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Change, Compacted, RevisionMismatch, type Store, type StoredRow, type Write } from './store.ts'

const formatVersion = 1
const compactionStep = 500

interface LogRow {
  rev: number
  key: string
  deleted: number
  value: string | null
  prev_rev: number
  prev_value: string | null
}

interface Pending extends Write {
  resolve(revision: number): void
  reject(error: unknown): void
}

/**
 * The store in one SQLite file: an append-only `log` for history and `current` for the present, written in the same
 * transaction. WAL with synchronous=FULL, so what is acknowledged survives a power cut; all writes of one turn of the
 * event loop share one transaction and thus one flush to disk.
 */
export class SqliteStore implements Store {
  readonly #db: DatabaseSync
  readonly #statements: Record<'current' | 'append' | 'put' | 'remove' | 'at' | 'since', StatementSync>
  readonly #listeners: ((change: Change) => void)[] = []
  #queue: Pending[] = []
  #flush: Promise<void> | undefined
  #revision: number
  #compactedRevision: number
  #closed = false

  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // SQLite gives its other files the mode of this one.
    closeSync(openSync(path, 'a', 0o600))
    this.#db = openExclusively(path)
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS log (
        rev INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, prev_rev INTEGER NOT NULL,
        deleted INTEGER NOT NULL, value TEXT);
      CREATE INDEX IF NOT EXISTS log_key ON log (key, rev);
      CREATE TABLE IF NOT EXISTS current (key TEXT PRIMARY KEY, rev INTEGER NOT NULL, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT OR IGNORE INTO meta VALUES ('format', ${formatVersion}), ('compacted', 0);`)
    const format = this.#meta('format')
    if (format !== formatVersion)
      throw new Error(
        `${path} has format ${format}, this version reads format ${formatVersion}; use the version that wrote it`,
      )
    // Revision 1 is the birth of the store: a list of an empty store must not carry resourceVersion 0, which means "any".
    this.#db.exec(`INSERT INTO log (key, prev_rev, deleted) SELECT '', 0, 1
      WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'log')`)
    const sequence = this.#db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'log'`).get() as { seq: number }
    this.#revision = sequence.seq
    this.#compactedRevision = this.#meta('compacted')
    this.#statements = {
      current: this.#db.prepare('SELECT rev, value FROM current WHERE key = ?'),
      append: this.#db.prepare('INSERT INTO log (key, prev_rev, deleted, value) VALUES (?, ?, ?, ?)'),
      put: this.#db.prepare(
        'INSERT INTO current VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET rev = excluded.rev, value = excluded.value',
      ),
      remove: this.#db.prepare('DELETE FROM current WHERE key = ?'),
      at: this.#db.prepare(`
        SELECT log.key AS key, log.rev AS revision, log.value AS value FROM log
        JOIN (SELECT max(rev) AS rev FROM log WHERE key >= ? AND key < ? AND rev <= ? GROUP BY key) USING (rev)
        WHERE deleted = 0 ORDER BY log.key LIMIT ?`),
      since: this.#db.prepare(`
        SELECT log.rev, log.key, log.deleted, log.value, log.prev_rev, before.value AS prev_value
        FROM log LEFT JOIN log AS before ON before.rev = log.prev_rev
        WHERE log.rev > ? AND log.key >= ? AND log.key < ? ORDER BY log.rev`),
    }
  }

  get revision(): number {
    return this.#revision
  }

  get compactedRevision(): number {
    return this.#compactedRevision
  }

  *all(): Iterable<StoredRow> {
    const rows = this.#db.prepare('SELECT key, rev AS revision, value FROM current ORDER BY key').iterate()
    for (const row of rows) yield row as unknown as StoredRow
  }

  at(prefix: string, revision: number, page?: { from: string; count: number }): StoredRow[] {
    this.#requireHistory(revision)
    const from = page !== undefined && page.from > prefix ? page.from : prefix
    // A negative limit is none.
    return this.#statements.at.all(from, endOf(prefix), revision, page?.count ?? -1) as unknown as StoredRow[]
  }

  since(prefix: string, revision: number): Change[] {
    this.#requireHistory(revision)
    const rows = this.#statements.since.all(revision, prefix, endOf(prefix)) as unknown as LogRow[]
    return rows.map((row) => ({
      revision: row.rev,
      key: row.key,
      value: row.value ?? undefined,
      previous: row.prev_value === null ? undefined : { revision: row.prev_rev, value: row.prev_value },
    }))
  }

  write(write: Write): Promise<number> {
    if (this.#closed) return Promise.reject(new Error('the store is closed'))
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    this.#queue.push({ ...write, resolve, reject })
    this.#flush ??= nextTurn().then(() => this.#commit())
    return promise
  }

  onCommit(listener: (change: Change) => void): void {
    this.#listeners.push(listener)
  }

  async compact(revision: number): Promise<void> {
    const target = Math.min(revision, this.#revision)
    if (target <= this.#compactedRevision) return
    const from = this.#compactedRevision
    // The mark comes first: whoever dies between the steps below leaves rows too many, never a hole in promised history.
    this.#db.prepare(`UPDATE meta SET value = ? WHERE name = 'compacted'`).run(target)
    this.#compactedRevision = target
    const superseded = this.#db.prepare(
      'DELETE FROM log WHERE rev IN (SELECT prev_rev FROM log WHERE rev > ? AND rev <= ? AND prev_rev > 0)',
    )
    const tombstones = this.#db.prepare('DELETE FROM log WHERE rev > ? AND rev <= ? AND deleted = 1')
    for (let low = from; low < target && !this.#closed; low += compactionStep) {
      const high = Math.min(low + compactionStep, target)
      superseded.run(low, high)
      tombstones.run(low, high)
      await nextTurn()
    }
  }

  async backup(path: string): Promise<void> {
    await backup(this.#db, path)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.#flush
    this.#closed = true
    this.#db.close()
  }

  #commit(): void {
    const batch = this.#queue
    this.#queue = []
    this.#flush = undefined
    const done: { pending: Pending; change: Change }[] = []
    const lost: { pending: Pending; error: RevisionMismatch }[] = []
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      for (const pending of batch) {
        const before = this.#statements.current.get(pending.key) as { rev: number; value: string } | undefined
        if ((before?.rev ?? 0) !== pending.expectedRevision)
          lost.push({ pending, error: new RevisionMismatch(pending.key, before?.rev ?? 0) })
        else done.push({ pending, change: this.#apply(pending, before) })
      }
      this.#db.exec('COMMIT')
    } catch (error) {
      // A full disk, say: nothing of the batch happened, and the next one gets a clean start.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      for (const pending of batch) pending.reject(new Error('the store could not write', { cause: error }))
      return
    }
    for (const { pending, change } of done) {
      this.#revision = change.revision
      for (const listener of this.#listeners) listener(change)
      pending.resolve(change.revision)
    }
    for (const { pending, error } of lost) pending.reject(error)
  }

  #apply({ key, value }: Write, before: { rev: number; value: string } | undefined): Change {
    const deleted = value === undefined
    const { lastInsertRowid } = this.#statements.append.run(key, before?.rev ?? 0, deleted ? 1 : 0, value ?? null)
    const revision = Number(lastInsertRowid)
    if (deleted) this.#statements.remove.run(key)
    else this.#statements.put.run(key, revision, value)
    return { revision, key, value, previous: before && { revision: before.rev, value: before.value } }
  }

  #requireHistory(revision: number): void {
    if (revision < this.#compactedRevision) throw new Compacted(revision, this.#compactedRevision)
  }

  #meta(name: string): number {
    return (this.#db.prepare('SELECT value FROM meta WHERE name = ?').get(name) as { value: number }).value
  }
}

function openExclusively(path: string): DatabaseSync {
  const db = new DatabaseSync(path)
  try {
    // Exclusive before the first access: the lock is then held for as long as we live, and a second server is refused.
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE; COMMIT',
    )
  } catch (error) {
    db.close()
    const busy = error instanceof Error && /locked|busy/.test(error.message)
    throw busy ? new Error(`${path} is in use by another server; stop that one first`, { cause: error }) : error
  }
  return db
}

// Keys are ASCII with '/' as separator, so the end of a prefix's range is the prefix with its last character raised.
function endOf(prefix: string): string {
  if (prefix === '') return '\u{10ffff}'
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
}
