import { keyOf } from '@stillpoint/api/meta/object-meta'
import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import type { Logger } from 'pino'
import { describeError } from '../controller/describe-error.ts'
import type { KubeClient } from '../kube/client.ts'
import type { World } from './world.ts'

/** Events can get lost with a broken watch; the guest must not pay for it with the whole lease. */
const fallbackMs = 2_000

/** Waits for cuts directly on the watch, past any queue: inside a freeze every millisecond is the guest's. */
export class CutWatch {
  readonly #client: KubeClient
  readonly #world: World
  readonly #log: Logger
  readonly #waiting = new Map<string, () => void>()

  constructor(client: KubeClient, world: World, log: Logger) {
    this.#client = client
    this.#world = world
    this.#log = log
    world.volumeSnapshots.onChange(({ object }) => {
      const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)
      if (owner !== undefined) this.#waiting.get(`${object.metadata.namespace}/${owner.name}`)?.()
    })
    world.contents.onChange(({ object }) => this.#waiting.get(keyOf(object))?.())
  }

  /** Resolves when all are cut, one has failed, or the content is being deleted. Listens at once, until `signal`. */
  async outcome(
    content: VirtualMachineSnapshotContent,
    names: readonly string[],
    signal: AbortSignal,
  ): Promise<'cut' | 'error' | 'deleted'> {
    const key = keyOf(content)
    const { promise, resolve } = Promise.withResolvers<'cut' | 'error' | 'deleted'>()
    const look = (): void => {
      const now = this.#world.contents.get(key)
      if (now === undefined || now.metadata.deletionTimestamp !== undefined) {
        resolve('deleted')
        return
      }
      const members = names.map(
        (name) => this.#world.volumeSnapshots.get(`${content.metadata.namespace}/${name}`)?.status,
      )
      if (members.every((status) => status?.creationTime !== undefined)) resolve('cut')
      else if (members.some((status) => status?.creationTime === undefined && status?.error !== undefined))
        resolve('error')
    }
    const timer = setInterval(() => void this.#ask(content, names), fallbackMs)
    signal.addEventListener('abort', () => resolve('deleted'))
    this.#waiting.set(key, look)
    try {
      look()
      return await promise
    } finally {
      clearInterval(timer)
      this.#waiting.delete(key)
    }
  }

  async #ask(content: VirtualMachineSnapshotContent, names: readonly string[]): Promise<void> {
    try {
      for (const name of names) {
        const found = await this.#client.find(VolumeSnapshot, { namespace: content.metadata.namespace, name })
        if (found !== undefined) this.#world.volumeSnapshots.note(found)
      }
    } catch (error) {
      this.#log.warn({ content: keyOf(content), error: describeError(error) }, 'volume snapshots could not be read')
    }
  }
}
