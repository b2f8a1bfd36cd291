import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { type ObjectOf, objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { defaultSnapshotClassAnnotation } from '@stillpoint/api/snapshot/keys'
import { StorageClass, VolumeSnapshotClass } from '@stillpoint/api/storage/kinds'
import { Controller } from '../controller/controller.ts'
import type { Area } from './area.ts'
import { defaultClassAnnotation, defaultVirtClassAnnotation, layeredClassName, layersDriver } from './keys.ts'

/** Creates the classes of our own driver at start where they are absent. One that exists is never touched. */
export function defaultsController({ client, drivers, log, queues }: Area): Controller {
  const ensure = async <R extends ResourceDefinition>(definition: R, object: ObjectOf<R>): Promise<void> => {
    if (await client.find(definition, object.metadata)) return
    try {
      await client.create(definition, object)
      log.info({ kind: definition.kind, name: object.metadata.name }, 'default created')
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }
  const controller = new Controller({
    name: 'volume-defaults',
    log,
    queues,
    reconcile: async () => {
      if (!drivers.has(layersDriver)) return undefined
      await ensure(
        StorageClass,
        objectOf(
          StorageClass,
          {
            name: layeredClassName,
            annotations: { [defaultClassAnnotation]: 'true', [defaultVirtClassAnnotation]: 'true' },
          },
          {
            provisioner: layersDriver,
            reclaimPolicy: 'Delete',
            volumeBindingMode: 'Immediate',
            allowVolumeExpansion: false,
          },
        ),
      )
      await ensure(
        VolumeSnapshotClass,
        objectOf(
          VolumeSnapshotClass,
          { name: layeredClassName, annotations: { [defaultSnapshotClassAnnotation]: 'true' } },
          { driver: layersDriver, deletionPolicy: 'Delete' },
        ),
      )
      return undefined
    },
  })
  controller.enqueue('defaults')
  return controller
}
