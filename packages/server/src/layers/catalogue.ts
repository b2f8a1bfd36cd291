import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Refusal } from './refusal.ts'

// A layer's life:
//
//   planned ─→ top ─→ frozen ─→ doomed ─→ (gone)
//      │  └──→ spare ─┘  (a spare becomes the top when its volume is cut)
//      └─────────┴──→ doomed
//
// planned: the file may be there or not, in whole or in part; spare: an empty overlay ready for the next cut;
// top: written by the volume; frozen: never written again; doomed: nothing needs it, the file is being removed.
export const layerStates = ['planned', 'spare', 'top', 'frozen', 'doomed'] as const
export type LayerState = (typeof layerStates)[number]

export interface Layer {
  id: string
  /** Relative to the store's folder of layers, so that the store can be moved. */
  file: string
  parent: string | null
  size: number
  state: LayerState
  /** The volume a spare is for. */
  spareOf: string | null
}

export interface VolumeRow {
  seq: number
  id: string
  name: string
  /** Stands at the head of the volume's node names, which QEMU limits to 31 characters. */
  tag: string
  size: number
  top: string
  sourceKind: 'snapshot' | 'volume' | null
  sourceId: string | null
}

export interface SnapshotRow {
  seq: number
  id: string
  /** Null for a member of a group: there the group has the name. */
  name: string | null
  sourceVolume: string
  layer: string
  size: number
  createdMicros: number
  groupId: string | null
}

export interface GroupRow {
  id: string
  name: string
  createdMicros: number
  /** How far apart the members were really cut: 0 when by one transaction or while all guests stood still. */
  skewMicros: number
  /** The volumes asked for, sorted: a repeated request must ask for the same. */
  volumes: string[]
}

export interface Publication {
  volume: string
  target: string
  readonly: boolean
}

/** One volume's part of a cut. */
export interface CutMember {
  volume: string
  below: string
  above: string
  snapshot: string | null
  /** The QMP socket of the QEMU that had the volume open when the cut was begun. */
  monitor: string | null
}

export type Intent =
  | { kind: 'create'; volume: Omit<VolumeRow, 'seq'> }
  | { kind: 'spare'; layer: string; volume: string }
  | { kind: 'cut'; name: string | null; group: string | null; members: CutMember[]; atMicros: number; resume: string[] }
  | { kind: 'expand'; volume: string; size: number; monitor: string | null }
  | { kind: 'remove'; layers: string[] }
export type Journalled = Intent & { id: number }

const schema = `
  CREATE TABLE IF NOT EXISTS layers (
    id TEXT PRIMARY KEY, file TEXT NOT NULL UNIQUE, parent TEXT REFERENCES layers (id) DEFERRABLE INITIALLY DEFERRED,
    size INTEGER NOT NULL, state TEXT NOT NULL, spareOf TEXT) STRICT;
  CREATE INDEX IF NOT EXISTS layers_by_parent ON layers (parent);
  CREATE TABLE IF NOT EXISTS volumes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, tag TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL, top TEXT NOT NULL UNIQUE REFERENCES layers (id) DEFERRABLE INITIALLY DEFERRED,
    sourceKind TEXT, sourceId TEXT) STRICT;
  CREATE TABLE IF NOT EXISTS groups (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, createdMicros INTEGER NOT NULL, skewMicros INTEGER NOT NULL,
    volumes TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS snapshots (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT UNIQUE, sourceVolume TEXT NOT NULL,
    layer TEXT NOT NULL REFERENCES layers (id) DEFERRABLE INITIALLY DEFERRED, size INTEGER NOT NULL,
    createdMicros INTEGER NOT NULL, groupId TEXT REFERENCES groups (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
  CREATE INDEX IF NOT EXISTS snapshots_by_layer ON snapshots (layer);
  CREATE INDEX IF NOT EXISTS snapshots_by_group ON snapshots (groupId);
  CREATE TABLE IF NOT EXISTS publications (
    volume TEXT PRIMARY KEY REFERENCES volumes (id), target TEXT NOT NULL UNIQUE, readonly INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS intents (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL) STRICT;
`
const version = 1

/**
 * The store's memory: which layers there are, what stands on what, who needs them, and what was begun and not ended.
 * All of it in one SQLite file that this process alone holds; every change is durable when the call returns.
 */
export class Catalogue {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 0 })
    try {
      // Exclusive before the first access: the kernel's lock on the file is the lock on the store.
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      this.#db.exec('BEGIN IMMEDIATE')
      const found = Number(this.#db.prepare('PRAGMA user_version').get()?.user_version)
      if (found > version) throw new Error(`${path} was written by a newer version (format ${found}, known ${version})`)
      this.#db.exec(`${schema}; PRAGMA user_version = ${version}; COMMIT`)
    } catch (error) {
      this.#db.close()
      if (error instanceof Error && /locked|busy/i.test(error.message))
        throw new Error(`${path} is in use by another driver; one store has one driver`, { cause: error })
      throw error
    }
  }

  close(): void {
    this.#db.close()
  }

  /** Runs the changes as one: all or none of them, durable at the end. */
  change<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  begin<Kind extends Intent>(intent: Kind): Kind & { id: number } {
    const { lastInsertRowid } = this.#run('INSERT INTO intents (body) VALUES (?)', JSON.stringify(intent))
    return { ...intent, id: Number(lastInsertRowid) }
  }

  end({ id }: { id: number }): void {
    this.#run('DELETE FROM intents WHERE id = ?', id)
  }

  intents(): Journalled[] {
    const rows = this.#all<{ id: number; body: string }>('SELECT id, body FROM intents ORDER BY id')
    return rows.map(({ id, body }) => ({ ...(JSON.parse(body) as Intent), id }))
  }

  layer(id: string): Layer {
    const layer = this.#get<Layer>('SELECT * FROM layers WHERE id = ?', id)
    if (!layer) throw new Error(`the catalogue knows no layer ${id}`)
    return layer
  }

  layers(): Layer[] {
    return this.#all<Layer>('SELECT * FROM layers')
  }

  addLayer({ id, file, parent, size, state, spareOf }: Layer): void {
    this.#run('INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?)', id, file, parent, size, state, spareOf)
  }

  setLayer(id: string, { state, size, spareOf }: { state?: LayerState; size?: number; spareOf?: string | null }): void {
    if (state !== undefined) this.#run('UPDATE layers SET state = ? WHERE id = ?', state, id)
    if (size !== undefined) this.#run('UPDATE layers SET size = ? WHERE id = ?', size, id)
    if (spareOf !== undefined) this.#run('UPDATE layers SET spareOf = ? WHERE id = ?', spareOf, id)
  }

  dropLayers(ids: readonly string[]): void {
    for (const id of ids) this.#run('DELETE FROM layers WHERE id = ?', id)
  }

  spareOf(volume: string): Layer | undefined {
    return this.#get<Layer>("SELECT * FROM layers WHERE spareOf = ? AND state = 'spare'", volume)
  }

  /** The layer and all it stands on, top first. */
  chain(top: string): Layer[] {
    const chain: Layer[] = []
    for (let id: string | null = top; id !== null; ) {
      const layer: Layer = this.layer(id)
      chain.push(layer)
      id = layer.parent
    }
    return chain
  }

  /**
   * Dooms the layer if nothing needs it, then the one it stood on, and so on down. Answers them top first.
   * Whatever stands on a layer needs it, also a planned one: its file is being made right now.
   */
  doomFrom(top: string | null): string[] {
    const doomed: string[] = []
    for (let id = top; id !== null; ) {
      if (this.#needed(id)) break
      this.setLayer(id, { state: 'doomed', spareOf: null })
      doomed.push(id)
      id = this.layer(id).parent
    }
    return doomed
  }

  #needed(layer: string): boolean {
    const sql = `SELECT EXISTS (SELECT 1 FROM layers WHERE parent = ?1 AND state <> 'doomed')
      OR EXISTS (SELECT 1 FROM volumes WHERE top = ?1) OR EXISTS (SELECT 1 FROM snapshots WHERE layer = ?1) AS needed`
    return this.#get<{ needed: number }>(sql, layer)?.needed === 1
  }

  /** Frozen layers that no snapshot names and exactly one layer stands on: they could be merged into it. */
  mergeableLayers(): { layer: string; into: string }[] {
    return this.#all<{ layer: string; into: string }>(
      `SELECT l.id AS layer, min(c.id) AS "into" FROM layers l JOIN layers c ON c.parent = l.id AND c.state <> 'doomed'
       WHERE l.state = 'frozen' AND NOT EXISTS (SELECT 1 FROM snapshots WHERE layer = l.id)
       GROUP BY l.id HAVING count(*) = 1 ORDER BY l.id`,
    )
  }

  volume(id: string): VolumeRow | undefined {
    return this.#get<VolumeRow>('SELECT * FROM volumes WHERE id = ?', id)
  }

  volumeNamed(name: string): VolumeRow | undefined {
    return this.#get<VolumeRow>('SELECT * FROM volumes WHERE name = ?', name)
  }

  volumes(afterSeq = 0, limit = -1): VolumeRow[] {
    return this.#all<VolumeRow>('SELECT * FROM volumes WHERE seq > ? ORDER BY seq LIMIT ?', afterSeq, limit)
  }

  addVolume(volume: Omit<VolumeRow, 'seq'>): void {
    const { id, name, tag, size, top, sourceKind, sourceId } = volume
    const sql = 'INSERT INTO volumes (id, name, tag, size, top, sourceKind, sourceId) VALUES (?, ?, ?, ?, ?, ?, ?)'
    this.#run(sql, id, name, tag, size, top, sourceKind, sourceId)
  }

  setVolume(id: string, { size, top }: { size?: number; top?: string }): void {
    if (size !== undefined) this.#run('UPDATE volumes SET size = ? WHERE id = ?', size, id)
    if (top !== undefined) this.#run('UPDATE volumes SET top = ? WHERE id = ?', top, id)
  }

  dropVolume(id: string): void {
    this.#run('DELETE FROM volumes WHERE id = ?', id)
  }

  snapshot(id: string): SnapshotRow | undefined {
    return this.#get<SnapshotRow>('SELECT * FROM snapshots WHERE id = ?', id)
  }

  snapshotNamed(name: string): SnapshotRow | undefined {
    return this.#get<SnapshotRow>('SELECT * FROM snapshots WHERE name = ?', name)
  }

  snapshots(filter: { volume?: string; group?: string; afterSeq?: number; limit?: number } = {}): SnapshotRow[] {
    const { volume = null, group = null, afterSeq = 0, limit = -1 } = filter
    return this.#all<SnapshotRow>(
      `SELECT * FROM snapshots WHERE (?1 IS NULL OR sourceVolume = ?1) AND (?2 IS NULL OR groupId = ?2) AND seq > ?3
       ORDER BY seq LIMIT ?4`,
      volume,
      group,
      afterSeq,
      limit,
    )
  }

  addSnapshot(snapshot: Omit<SnapshotRow, 'seq'>): void {
    const { id, name, sourceVolume, layer, size, createdMicros, groupId } = snapshot
    this.#run(
      `INSERT INTO snapshots (id, name, sourceVolume, layer, size, createdMicros, groupId) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      id,
      name,
      sourceVolume,
      layer,
      size,
      createdMicros,
      groupId,
    )
  }

  dropSnapshot(id: string): void {
    this.#run('DELETE FROM snapshots WHERE id = ?', id)
  }

  group(id: string): GroupRow | undefined {
    return groupOf(this.#get<GroupRecord>('SELECT * FROM groups WHERE id = ?', id))
  }

  groupNamed(name: string): GroupRow | undefined {
    return groupOf(this.#get<GroupRecord>('SELECT * FROM groups WHERE name = ?', name))
  }

  addGroup({ id, name, createdMicros, skewMicros, volumes }: GroupRow): void {
    const sql = 'INSERT INTO groups VALUES (?, ?, ?, ?, ?)'
    this.#run(sql, id, name, createdMicros, skewMicros, JSON.stringify(volumes))
  }

  dropGroup(id: string): void {
    this.#run('DELETE FROM groups WHERE id = ?', id)
  }

  publication(volume: string): Publication | undefined {
    return publicationOf(this.#get<PublicationRow>('SELECT * FROM publications WHERE volume = ?', volume))
  }

  publications(): Publication[] {
    return this.#all<PublicationRow>('SELECT * FROM publications').flatMap((row) => publicationOf(row) ?? [])
  }

  publish({ volume, target, readonly }: Publication): void {
    try {
      this.#run('INSERT INTO publications VALUES (?, ?, ?)', volume, target, readonly ? 1 : 0)
    } catch (error) {
      throw new Refusal('FAILED_PRECONDITION', `another volume is published at ${target}`, { cause: error })
    }
  }

  unpublish(volume: string): void {
    this.#run('DELETE FROM publications WHERE volume = ?', volume)
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values)
  }

  #get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined
  }

  #all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values) as Row[]
  }
}

type PublicationRow = { volume: string; target: string; readonly: number }

function publicationOf(row: PublicationRow | undefined): Publication | undefined {
  return row && { ...row, readonly: row.readonly === 1 }
}

type GroupRecord = Omit<GroupRow, 'volumes'> & { volumes: string }

function groupOf(row: GroupRecord | undefined): GroupRow | undefined {
  return row && { ...row, volumes: JSON.parse(row.volumes) as string[] }
}
