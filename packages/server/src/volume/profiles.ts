import { isDeepStrictEqual } from 'node:util'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { type ObjectOf, objectOf } from '@stillpoint/api/schema/resource'
import { defaultSnapshotClassAnnotation } from '@stillpoint/api/snapshot/keys'
import { CDIConfig, StorageProfile } from '@stillpoint/api/storage/cdi'
import type { StorageClass, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { withCondition } from '../controller/conditions.ts'
import { Controller } from '../controller/controller.ts'
import type { Area } from './area.ts'
import { filesystemOverhead } from './data-volumes/claim-for.ts'
import { layersDriver } from './keys.ts'

const configName = 'config'

/** One StorageProfile per StorageClass, and the CDIConfig: what clients look up before they ask for a disk. */
export function profileController(area: Area, uploadUrl: string | undefined): Controller {
  const { client, inventory, log, now } = area

  const reconcileProfile = async (name: string): Promise<undefined> => {
    const storageClass = inventory.classes.get(name)
    const profile = inventory.profiles.get(name)
    if (!storageClass) {
      if (profile) await client.delete(StorageProfile, { name })
      return
    }
    const stored = profile ?? (await create(StorageProfile, objectOf(StorageProfile, { name }, { spec: {} })))
    if (!stored) return
    const status = profileStatus(storageClass, stored, inventory.snapshotClasses.list())
    const conditions = withCondition(
      stored.status?.conditions,
      { type: 'Recognized', status: status.claimPropertySets ? 'True' : 'False', reason: 'CapabilitiesRecognized' },
      now(),
    )
    const wanted = { ...status, conditions }
    if (isDeepStrictEqual(stored.status, wanted)) return
    const gone = Object.fromEntries(
      Object.keys(stored.status ?? {})
        .filter((key) => !(key in wanted))
        .map((key) => [key, null]),
    )
    const patched = await client.patch(
      StorageProfile,
      { name },
      { status: { ...gone, ...wanted } },
      { subresource: 'status' },
    )
    inventory.profiles.note(patched)
  }

  const reconcileConfig = async (): Promise<undefined> => {
    const config =
      (await client.find(CDIConfig, { name: configName })) ??
      (await create(CDIConfig, objectOf(CDIConfig, { name: configName }, { spec: {} })))
    if (!config) return
    const storageClass = Object.fromEntries(
      inventory.classes
        .list()
        .map(({ metadata, provisioner }) => [metadata.name, `${filesystemOverhead(provisioner)}`]),
    )
    const status = {
      ...(uploadUrl === undefined ? {} : { uploadProxyURL: config.spec?.uploadProxyURLOverride ?? uploadUrl }),
      filesystemOverhead: { global: `${filesystemOverhead(undefined)}`, storageClass },
      preallocation: false,
    }
    if (isDeepStrictEqual(config.status, status)) return
    await client.patch(CDIConfig, { name: configName }, [{ op: 'add', path: '/status', value: status }], {
      subresource: 'status',
    })
  }

  const create = async <R extends typeof StorageProfile | typeof CDIConfig>(
    definition: R,
    object: ObjectOf<R>,
  ): Promise<ObjectOf<R> | undefined> => {
    try {
      return await client.create(definition, object)
    } catch (error) {
      // Made meanwhile: the watch brings it.
      if (isAlreadyExists(error)) return undefined
      throw error
    }
  }

  const controller = new Controller({
    name: 'storage-profile',
    log,
    queues: area.queues,
    reconcile: async (key) => {
      await area.ready()
      return key === configKey ? reconcileConfig() : reconcileProfile(key)
    },
  })
  inventory.classes.onChange(({ object }) => {
    controller.enqueue(object.metadata.name)
    controller.enqueue(configKey)
  })
  inventory.profiles.onChange(({ object }) => controller.enqueue(object.metadata.name))
  inventory.snapshotClasses.onChange(() => {
    for (const { metadata } of inventory.classes.list()) controller.enqueue(metadata.name)
  })
  return controller
}

/** No name of a class has a colon. */
const configKey = ':config'

/** What is known of a class: its own words, and what follows from the snapshot classes there are. */
export function profileStatus(
  { metadata, provisioner }: StorageClass,
  { spec }: StorageProfile,
  snapshotClasses: readonly VolumeSnapshotClass[],
): NonNullable<StorageProfile['status']> {
  const matching = snapshotClasses
    .filter(({ driver }) => driver === provisioner)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const chosen =
    matching.find((each) => each.metadata.name === spec?.snapshotClass) ??
    matching.find((each) => each.metadata.annotations?.[defaultSnapshotClassAnnotation] === 'true') ??
    matching[0]
  // A layered volume is a disk whatever it is called; `Block` spares it the overhead of a file system it has not.
  const known = provisioner === layersDriver ? [{ accessModes: ['ReadWriteOnce'], volumeMode: 'Block' }] : undefined
  const claimPropertySets = spec?.claimPropertySets ?? known
  return {
    storageClass: metadata.name,
    provisioner,
    cloneStrategy: spec?.cloneStrategy ?? (provisioner === layersDriver ? 'csi-clone' : chosen ? 'snapshot' : 'copy'),
    ...(chosen ? { snapshotClass: chosen.metadata.name } : {}),
    ...(claimPropertySets ? { claimPropertySets } : {}),
  }
}
