import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../../packages/api/src/meta/object-meta.ts'
import type { ObjectOf, ResourceDefinition } from '../../packages/api/src/schema/resource.ts'
import { SqliteStore } from '../../packages/server/src/apiserver/store/sqlite-store.ts'

/** Numbers from 0 to 1 for the instants of kills; the same seed (`KILL_SEED`, printed) gives the same numbers. */
export function seededRandom(what: string): () => number {
  const given = process.env.KILL_SEED
  const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given)
  if (!Number.isSafeInteger(seed)) throw new Error(`KILL_SEED '${given}' is not a whole number`)
  process.stdout.write(`${what}: KILL_SEED=${seed}\n`)
  // mulberry32
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** How many kills there are, unless `KILL_ROUNDS` says otherwise. */
export function roundCount(usual: number): number {
  const given = process.env.KILL_ROUNDS
  const count = given === undefined ? usual : Number(given)
  if (!(Number.isSafeInteger(count) && count > 0))
    throw new Error(`KILL_ROUNDS '${given}' is not a whole number above 0`)
  return count
}

/** What a server that is dead has made durable, by kind. */
export class Remains {
  readonly #objects: readonly KubeObject[]
  /** A guest may be frozen: its lease is there. */
  readonly leased: boolean

  private constructor(objects: readonly KubeObject[], leased: boolean) {
    this.#objects = objects
    this.leased = leased
  }

  static async of({ dataDir }: { dataDir: string }): Promise<Remains> {
    // First: the guard is at work already.
    const leased = leaseExists(dataDir)
    const store = new SqliteStore(join(dataDir, 'api/store.sqlite'))
    try {
      return new Remains(
        [...store.all()].map(({ value }) => JSON.parse(value) as KubeObject),
        leased,
      )
    } finally {
      await store.close()
    }
  }

  all<R extends ResourceDefinition>({ kind }: R): ObjectOf<R>[] {
    return this.#objects.filter((object) => object.kind === kind) as ObjectOf<R>[]
  }

  find<R extends ResourceDefinition>(definition: R, name: string): ObjectOf<R> | undefined {
    return this.all(definition).find(({ metadata }) => metadata.name === name)
  }
}

export function leaseExists(dataDir: string): boolean {
  const machines = join(dataDir, 'machines')
  return readdirSync(machines).some((folder) => existsSync(join(machines, folder, 'freeze.json')))
}

/** Lines of cells, in columns. */
export function columns(lines: readonly (readonly (string | number)[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => String(line[at] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, at) =>
          typeof cell === 'number' ? String(cell).padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
