import type { Catalogue } from './catalogue.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { LayerFiles } from './layer-file.ts'
import type { Monitors } from './monitors.ts'

/** The part of pino's logger the driver uses. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What the parts of a store share. */
export interface StoreContext {
  readonly catalogue: Catalogue
  readonly files: LayerFiles
  readonly monitors: Monitors
  /** Held by name (`volume:…`, `volume-name:…`, `snapshot-name:…`) around everything that changes what is named. */
  readonly locks: KeyedLock
  readonly log: Log
  /** Whether QEMU can read and write the layers around the host's page cache. */
  readonly directIo: boolean
  /** Random, `bytes` long, in hex. */
  newId(bytes: number): string
  nowMicros(): number
  /** Does this as soon as the answer is out, and at the latest when the store is closed. */
  later(work: () => void): void
  /** Passed between any two steps; a test dies here. */
  checkpoint(step: string): void
}
