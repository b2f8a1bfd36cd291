import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import type { CsiClient } from '../../csi/client.ts'
import type { FolderOwner, MachineFolders } from '../folders.ts'
import { HypervisorError } from '../hypervisor/hypervisor.ts'
import { claimVolumes, type StorageWorld } from './claims.ts'
import type { GeneratedDisks } from './generated-disks.ts'

export type NodePublisher = Pick<CsiClient, 'nodePublish' | 'nodeUnpublish'>

export interface Prepared {
  folder: string
  paths: Map<string, { path: string; readOnly: boolean }>
}

/** Puts the volumes of an instance where the hypervisor can open them, and takes them away again. */
export class VolumePublisher {
  readonly #folders: MachineFolders
  readonly #drivers: ReadonlyMap<string, NodePublisher>
  readonly #generated: GeneratedDisks

  constructor(folders: MachineFolders, drivers: ReadonlyMap<string, NodePublisher>, generated: GeneratedDisks) {
    this.#folders = folders
    this.#drivers = drivers
    this.#generated = generated
  }

  hasDriver(driver: string): boolean {
    return this.#drivers.has(driver)
  }

  async hasFolder(uid: string): Promise<boolean> {
    return (await stat(this.#folders.pathOf(uid)).catch(() => undefined)) !== undefined
  }

  /** What instances of this name, present or past, have left on disk. */
  async foldersOf(key: string): Promise<FolderOwner[]> {
    return (await this.#folders.list()).filter(({ namespace, name }) => `${namespace}/${name}` === key)
  }

  /** Publishes and generates all disks. May be repeated after a failure at any point. */
  async prepare(vmi: VirtualMachineInstance, storage: StorageWorld): Promise<Prepared> {
    const uid = uidOf(vmi)
    const parent = join(this.#folders.pathOf(uid), 'v')
    const volumes = claimVolumes(vmi, storage).map((volume) => ({ ...volume, targetPath: join(parent, volume.name) }))
    // The names before the deeds: what is published has to be found again after a crash.
    const wanted = volumes.map(({ name, driver, volumeId, targetPath }) => ({ name, driver, volumeId, targetPath }))
    const earlier = (await this.#folders.ownerOf(uid))?.volumes ?? []
    const folder = await this.#folders.claim({
      uid,
      namespace: vmi.metadata.namespace ?? 'default',
      name: vmi.metadata.name,
      volumes: [...wanted, ...earlier.filter((old) => !wanted.some((one) => isDeepStrictEqual(one, old)))],
    })
    await mkdir(parent, { recursive: true, mode: 0o700 })
    const paths: Prepared['paths'] = new Map()
    await Promise.all(
      volumes.map(async ({ name, driver, volumeId, targetPath, volumeMode, volumeContext, readOnly }) => {
        try {
          await this.#driver(driver).nodePublish({
            volumeId,
            targetPath,
            volumeMode,
            volumeContext,
            readonly: readOnly,
          })
        } catch (error) {
          throw new Error(`publish volume ${name}`, { cause: error })
        }
        paths.set(name, { path: targetPath, readOnly })
      }),
    )
    for (const [name, disk] of await this.#generated.write(vmi, join(folder, 'g'))) paths.set(name, disk)
    return { folder, paths }
  }

  /** Gives all volumes back to their drivers. The machine must be gone. May be repeated. */
  async release(uid: string): Promise<void> {
    const owner = await this.#folders.ownerOf(uid)
    for (const { name, driver, volumeId, targetPath } of owner?.volumes ?? [])
      try {
        await this.#driver(driver).nodeUnpublish({ volumeId, targetPath })
      } catch (error) {
        throw new Error(`unpublish volume ${name} of ${owner?.name}`, { cause: error })
      }
  }

  async removeFolder(uid: string): Promise<void> {
    await this.#folders.remove(uid)
  }

  #driver(name: string): NodePublisher {
    const driver = this.#drivers.get(name)
    if (!driver) throw new HypervisorError('DriverNotFound', `the CSI driver ${name} is not connected`)
    return driver
  }
}
