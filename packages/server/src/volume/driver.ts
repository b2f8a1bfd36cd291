import type { Logger } from 'pino'
import { describeError } from '../controller/describe-error.ts'
import type { CsiClient } from '../csi/client.ts'
import { CsiError } from '../csi/csi-error.ts'

const groupCapability = 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT'

/** What this area asks of a CSI driver. */
export type VolumeDriver = Pick<
  CsiClient,
  | 'controllerCapabilities'
  | 'createVolume'
  | 'deleteVolume'
  | 'createSnapshot'
  | 'deleteSnapshot'
  | 'listSnapshots'
  | 'createGroupSnapshot'
  | 'nodePublish'
  | 'nodeUnpublish'
>

/** CSI drivers by name, with what each one can do. */
export class Drivers {
  readonly #log: Logger
  readonly #clients: ReadonlyMap<string, VolumeDriver>
  readonly #capabilities = new Map<string, ReadonlySet<string>>()
  readonly #asked = new Map<string, Promise<void>>()

  constructor(clients: ReadonlyMap<string, VolumeDriver>, log: Logger) {
    this.#clients = clients
    this.#log = log
  }

  get names(): string[] {
    return [...this.#clients.keys()]
  }

  has(name: string): boolean {
    return this.#clients.has(name)
  }

  get(name: string): VolumeDriver {
    const client = this.#clients.get(name)
    if (!client)
      throw new Error(`no CSI driver '${name}' is connected; connected are: ${this.names.join(', ') || 'none'}`)
    return client
  }

  /** Asks the drivers whose capabilities are not known yet. Never fails: one that is down must not stop the others. */
  async ready(): Promise<void> {
    if (this.allKnown) return
    await Promise.all(
      this.names
        .filter((name) => !this.isKnown(name))
        .map((name) => {
          const asked = this.#asked.get(name) ?? this.#ask(name)
          this.#asked.set(name, asked)
          return asked
        }),
    )
  }

  get allKnown(): boolean {
    return this.#capabilities.size === this.#clients.size
  }

  isKnown(name: string): boolean {
    return this.#capabilities.has(name)
  }

  /** Drivers that cut several volumes at one instant. */
  get groupable(): ReadonlySet<string> {
    return new Set(this.names.filter((name) => this.#capabilities.get(name)?.has(groupCapability)))
  }

  async #ask(name: string): Promise<void> {
    try {
      this.#capabilities.set(name, await this.get(name).controllerCapabilities())
    } catch (error) {
      this.#log.warn(
        { driver: name, error: describeError(error) },
        'csi driver does not tell its capabilities, will retry',
      )
    } finally {
      this.#asked.delete(name)
    }
  }
}

/** A refusal after which the driver keeps nothing of the call. Everything else may have had an effect. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof CsiError &&
    [
      'INVALID_ARGUMENT',
      'NOT_FOUND',
      'FAILED_PRECONDITION',
      'OUT_OF_RANGE',
      'UNIMPLEMENTED',
      'PERMISSION_DENIED',
    ].includes(error.code)
  )
}
