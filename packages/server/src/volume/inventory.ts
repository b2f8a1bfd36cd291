import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf } from '@stillpoint/api/meta/object-meta'
import { cutSetAnnotation, parseCutSet } from '@stillpoint/api/snapshot/keys'
import { DataVolume, StorageProfile } from '@stillpoint/api/storage/cdi'
import { dataSourceOf } from '@stillpoint/api/storage/data-source'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
  VolumeSnapshotContent,
} from '@stillpoint/api/storage/kinds'
import type { Informer } from '../kube/informer.ts'
import type { Informers } from '../kube/informers.ts'

/** What the controllers of this area look at: cached resources, with the lookups between them. */
export class Inventory {
  readonly claims: Informer<typeof PersistentVolumeClaim>
  readonly volumes: Informer<typeof PersistentVolume>
  readonly classes: Informer<typeof StorageClass>
  readonly profiles: Informer<typeof StorageProfile>
  readonly snapshots: Informer<typeof VolumeSnapshot>
  readonly contents: Informer<typeof VolumeSnapshotContent>
  readonly snapshotClasses: Informer<typeof VolumeSnapshotClass>
  readonly dataVolumes: Informer<typeof DataVolume>
  readonly machines: Informer<typeof VirtualMachine>
  readonly instances: Informer<typeof VirtualMachineInstance>
  #started: Promise<unknown> | undefined

  constructor(informers: Informers) {
    this.claims = informers.of(PersistentVolumeClaim)
    this.volumes = informers.of(PersistentVolume)
    this.classes = informers.of(StorageClass)
    this.profiles = informers.of(StorageProfile)
    this.snapshots = informers.of(VolumeSnapshot)
    this.contents = informers.of(VolumeSnapshotContent)
    this.snapshotClasses = informers.of(VolumeSnapshotClass)
    this.dataVolumes = informers.of(DataVolume)
    this.machines = informers.of(VirtualMachine)
    this.instances = informers.of(VirtualMachineInstance)

    this.claims.addIndex('volume/uid', ({ metadata }) => [metadata.uid ?? ''])
    this.claims.addIndex('volume/name', ({ spec }) => (spec?.volumeName ? [spec.volumeName] : []))
    this.claims.addIndex('volume/source', (claim) => sourceKeys(claim))
    this.volumes.addIndex('volume/claimUid', ({ spec }) => [spec?.claimRef?.uid ?? ''])
    this.snapshots.addIndex('volume/claim', (snapshot) => claimKeyOf(snapshot))
    this.snapshots.addIndex('volume/set', (snapshot) => {
      const set = parseCutSet(snapshot.metadata.annotations?.[cutSetAnnotation])
      return set ? [`${snapshot.metadata.namespace}/${set.id}`] : []
    })
    this.dataVolumes.addIndex('volume/source', (dataVolume) => dataVolumeSourceKeys(dataVolume))
    this.machines.addIndex('volume/claim', claimsOfMachine)
    this.instances.addIndex('volume/claim', claimsOfInstance)
  }

  /** Waits for the first lists of everything above. Called before each pass, since a half-filled cache misleads. */
  async ready(): Promise<void> {
    this.#started ??= Promise.all(
      [
        this.claims,
        this.volumes,
        this.classes,
        this.profiles,
        this.snapshots,
        this.contents,
        this.snapshotClasses,
        this.dataVolumes,
        this.machines,
        this.instances,
      ].map((informer) => informer.start()),
    )
    await this.#started
  }

  claimByUid(uid: string): PersistentVolumeClaim | undefined {
    return this.claims.byIndex('volume/uid', uid)[0]
  }

  /** The volume a claim is bound to, or that was made for it and waits to be bound. */
  volumeOf(claim: PersistentVolumeClaim): PersistentVolume | undefined {
    const name = claim.spec?.volumeName
    if (name) return this.volumes.get(name)
    return this.volumes.byIndex('volume/claimUid', claim.metadata.uid ?? '\0')[0]
  }

  contentOf(snapshot: VolumeSnapshot): VolumeSnapshotContent | undefined {
    const name = snapshot.spec.source.volumeSnapshotContentName ?? snapshot.status?.boundVolumeSnapshotContentName
    return this.contents.get(name ?? `snapcontent-${snapshot.metadata.uid}`)
  }

  /** The class a claim gets that names none: the newest among those marked default, as Kubernetes decides. */
  defaultClass(annotation: string): StorageClass | undefined {
    return this.classes
      .list()
      .filter(({ metadata }) => metadata.annotations?.[annotation] === 'true')
      .sort(
        (a, b) =>
          (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
          a.metadata.name.localeCompare(b.metadata.name),
      )[0]
  }
}

/** Keys of the claims whose volumes a VirtualMachine names. */
export function claimsOfMachine({ metadata, spec }: VirtualMachine): string[] {
  return claimsIn(metadata.namespace, spec.template.spec.volumes ?? [])
}

export function claimsOfInstance({ metadata, spec }: VirtualMachineInstance): string[] {
  return claimsIn(metadata.namespace, spec.volumes ?? [])
}

/** Whether a machine that has not ended has the claim among its volumes. */
export function isUsing(instance: VirtualMachineInstance, claimKey: string): boolean {
  const { phase } = instance.status ?? {}
  return phase !== 'Succeeded' && phase !== 'Failed' && claimsOfInstance(instance).includes(claimKey)
}

function claimsIn(namespace: string | undefined, volumes: readonly Parameters<typeof claimOf>[0][]): string[] {
  return [...new Set(volumes.flatMap((volume) => claimOf(volume) ?? []))].map((name) => `${namespace}/${name}`)
}

function claimKeyOf({ metadata, spec }: VolumeSnapshot): string[] {
  const name = spec.source.persistentVolumeClaimName
  return name === undefined ? [] : [`${metadata.namespace}/${name}`]
}

function sourceKeys({ metadata, spec }: PersistentVolumeClaim): string[] {
  const source = dataSourceOf(spec)
  return source ? [`${source.kind}/${source.namespace ?? metadata.namespace}/${source.name}`] : []
}

function dataVolumeSourceKeys({ metadata, spec }: DataVolume): string[] {
  const { pvc, snapshot } = spec.source ?? {}
  return [
    ...(pvc ? [`PersistentVolumeClaim/${pvc.namespace ?? metadata.namespace}/${pvc.name}`] : []),
    ...(snapshot ? [`VolumeSnapshot/${snapshot.namespace ?? metadata.namespace}/${snapshot.name}`] : []),
  ]
}

/** The key under which `volume/source` finds what is made from an object. */
export function sourceKey(
  kind: 'PersistentVolumeClaim' | 'VolumeSnapshot',
  object: Parameters<typeof keyOf>[0],
): string {
  return `${kind}/${keyOf(object)}`
}
