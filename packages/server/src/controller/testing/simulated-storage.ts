import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import {
  allowClaimAdoptionAnnotation,
  cutSetAnnotation,
  parseCutSet,
  persistentStateLabel,
  populatedForAnnotation,
  prePopulatedAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { refOf } from '../../kube/client.ts'
import { claimFinalizer, snapshotFinalizer, volumeFinalizer, volumeName } from '../../volume/keys.ts'
import { rfc3339 } from '../conditions.ts'
import { finalizerPatch } from '../finalizers.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedGuest } from './simulated-guest.ts'
import type { SimulatedMachines } from './simulated-machines.ts'
import { Actor, type Simulation } from './simulation.ts'

/** What a volume holds: where its data began, and the last state written to it. */
export interface Data {
  origin: string
  value: number
  /** The freeze of a guest in which it was the last state; undefined once the guest has written again. */
  window: string | undefined
}

/** What a cut fixed, and how the guest was at that instant. */
export interface Cut extends Data {
  claim: string
  atMs: number
  guest: 'none' | 'running' | 'paused' | 'frozen'
  guestUid: string | undefined
}

export interface Habits {
  /** All members of a set at one instant, or each for itself. */
  groups: boolean
  /** Share of cuts that come late, and of those that fail before they succeed. */
  lateCuts: number
  failedCuts: number
  /** Share of volumes whose data is ready long after its cut, or whose claim is bound late. */
  lateData: number
}

/** Plays provisioner, snapshotter and CDI of a cluster or of our volume controllers, with the data itself. */
export class SimulatedStorage {
  readonly #simulation: Simulation
  readonly #machines: SimulatedMachines
  readonly #random: SeededRandom
  readonly #habits: Habits
  readonly #actor: Actor
  /** By name of the PersistentVolume. */
  readonly volumes = new Map<string, Data>()
  /** By UID of the VolumeSnapshot; kept when it is gone. */
  readonly cuts = new Map<string, Cut>()
  readonly #due = new Map<string, number>()
  readonly #failed = new Set<string>()
  /** Called before the data of a volume is destroyed. */
  onDestroy: (volume: PersistentVolume, data: Data) => void = () => {}

  constructor(simulation: Simulation, machines: SimulatedMachines, habits: Habits) {
    this.#simulation = simulation
    this.#machines = machines
    this.#random = simulation.random.fork()
    this.#habits = habits
    machines.writeTo = (namespace, claim, change) => {
      const data = this.dataOf(namespace, claim)
      if (data !== undefined) Object.assign(data, { window: undefined }, change)
    }
    this.#actor = new Actor(simulation, {
      kinds: [VolumeSnapshot, PersistentVolumeClaim, PersistentVolume, DataVolume, VirtualMachineInstance],
      delayMs: () => this.#random.delayMs(simulation.rough ? 10 : 3),
      step: () => this.#step(),
    })
  }

  /** What the bound volume of a claim holds now. */
  dataOf(namespace: string, claim: string): Data | undefined {
    const volume = this.#simulation.api.find(PersistentVolumeClaim, { namespace, name: claim })?.spec?.volumeName
    return volume === undefined ? undefined : this.volumes.get(volume)
  }

  async #step(): Promise<void> {
    const { api } = this.#simulation
    for (const listed of api.list(VolumeSnapshot)) {
      // Its set may have been cut, or it may have gone, in this very turn.
      const snapshot = api.find(VolumeSnapshot, listed.metadata)
      if (snapshot !== undefined && uidOf(snapshot) === uidOf(listed)) await this.#lookAfterSnapshot(snapshot)
    }
    for (const claim of api.list(PersistentVolumeClaim)) await this.#lookAfterClaim(claim)
    for (const volume of api.list(PersistentVolume)) await this.#lookAfterVolume(volume)
    for (const dataVolume of api.list(DataVolume)) await this.#lookAfterDataVolume(dataVolume)
  }

  /** True when what `key` names has been waited for long enough; until then it is looked at again. */
  #isDue(key: string, drawMs: () => number): boolean {
    const { time, rough } = this.#simulation
    const at = this.#due.get(key) ?? time.nowMs + (rough ? drawMs() : this.#random.delayMs(5))
    this.#due.set(key, at)
    // Storage that was slow does not stay so for ever.
    if (time.nowMs >= at || !rough) return true
    this.#actor.wake(Math.min(at - time.nowMs, 30_000))
    return false
  }

  #lateMs(share: number, longMs: number): number {
    return this.#random.chance(share) ? this.#random.delayMs(longMs) : this.#random.delayMs(20)
  }

  async #lookAfterSnapshot(snapshot: VolumeSnapshot): Promise<void> {
    const { client } = this.#simulation
    const { metadata, status } = snapshot
    const uid = uidOf(snapshot)
    if (metadata.deletionTimestamp !== undefined) {
      if (!this.#isDue(`delete/${uid}`, () => this.#lateMs(0.1, 3_000))) return
      await client.patch(VolumeSnapshot, refOf(snapshot), finalizerPatch(snapshot, snapshotFinalizer, 'remove'))
      return
    }
    if (status?.creationTime === undefined) return await this.#cut(snapshot)
    if (status.readyToUse !== true && this.#isDue(`ready/${uid}`, () => this.#lateMs(this.#habits.lateData, 40_000)))
      await client.patch(
        VolumeSnapshot,
        refOf(snapshot),
        { status: { readyToUse: true, error: null } },
        { subresource: 'status' },
      )
  }

  async #cut(snapshot: VolumeSnapshot): Promise<void> {
    const members = this.#setOf(snapshot)
    if (members === undefined) return
    const key = members.map(uidOf).sort().join()
    if (!this.#failed.has(key) && this.#simulation.rough && this.#random.chance(this.#habits.failedCuts)) {
      this.#failed.add(key)
      this.#simulation.note(`· the storage fails to cut ${members.map(({ metadata }) => metadata.name).join(', ')}`)
      const error = { time: rfc3339(new Date()), message: 'the storage stumbled' }
      for (const member of members) await this.#writeStatus(member, { error })
      this.#due.set(`cut/${key}`, this.#simulation.time.nowMs + this.#random.delayMs(10_000))
    }
    if (!this.#isDue(`cut/${key}`, () => this.#lateMs(this.#habits.lateCuts, 20_000))) return
    const cuts = members.map((member) => ({ member, cut: this.#take(member) }))
    if (cuts.some(({ cut }) => cut === undefined)) return
    for (const { member, cut } of cuts) {
      if (cut === undefined) continue
      this.cuts.set(uidOf(member), cut)
      this.#simulation.note(`· the storage cuts ${member.metadata.name.slice(-12)}: ${cut.claim}, guest ${cut.guest}`)
    }
    const readyToUse = this.#random.chance(0.6)
    for (const { member } of cuts)
      await this.#writeStatus(member, {
        creationTime: rfc3339(new Date()),
        readyToUse,
        restoreSize: '1Gi',
        error: null,
      })
  }

  async #writeStatus(snapshot: VolumeSnapshot, status: object): Promise<void> {
    const patch = { metadata: { uid: uidOf(snapshot) }, status }
    await this.#simulation.client.patch(VolumeSnapshot, refOf(snapshot), patch, { subresource: 'status' })
  }

  /** What is cut together with a snapshot, once all of it is there. */
  #setOf(snapshot: VolumeSnapshot): VolumeSnapshot[] | undefined {
    const set = parseCutSet(snapshot.metadata.annotations?.[cutSetAnnotation])
    if (set === undefined || !this.#habits.groups) return [snapshot]
    const members = this.#simulation.api
      .list(VolumeSnapshot)
      .filter(({ metadata }) => parseCutSet(metadata.annotations?.[cutSetAnnotation])?.id === set.id)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    return members.length === set.size ? members : undefined
  }

  #take({ metadata: { namespace = '' }, spec }: VolumeSnapshot): Cut | undefined {
    const claim = spec.source.persistentVolumeClaimName ?? ''
    const guest = this.#machines.userOf(namespace, claim)
    guest?.catchUp()
    const data = this.dataOf(namespace, claim)
    if (data === undefined) return undefined
    const { nowMs } = this.#simulation.time
    return { ...data, claim, atMs: nowMs, guest: stateOf(guest), guestUid: guest?.uid }
  }

  async #lookAfterClaim(claim: PersistentVolumeClaim): Promise<void> {
    const { client } = this.#simulation
    const { metadata, status } = claim
    if (metadata.deletionTimestamp !== undefined) {
      if (this.#consumers(claim) > 0) return
      if (!this.#isDue(`release/${uidOf(claim)}`, () => this.#lateMs(0.1, 3_000))) return
      await client.patch(PersistentVolumeClaim, refOf(claim), finalizerPatch(claim, claimFinalizer, 'remove'))
      return
    }
    if (status?.phase === 'Bound') return
    const data = this.#dataFor(claim)
    if (data === undefined) return
    if (!this.#isDue(`bind/${uidOf(claim)}`, () => this.#lateMs(this.#habits.lateData, 60_000))) return
    await this.#bind(claim, data)
  }

  #consumers({ metadata }: PersistentVolumeClaim): number {
    const { api } = this.#simulation
    if (this.#machines.userOf(metadata.namespace ?? '', metadata.name) !== undefined) return 1
    return api
      .list(VirtualMachineInstance)
      .filter(
        ({ metadata: { namespace, name }, status, spec }) =>
          namespace === metadata.namespace &&
          status?.phase !== 'Succeeded' &&
          status?.phase !== 'Failed' &&
          (metadata.labels?.[persistentStateLabel] === name ||
            (spec.volumes ?? []).some(
              (volume) =>
                volume.persistentVolumeClaim?.claimName === metadata.name || volume.dataVolume?.name === metadata.name,
            )),
      ).length
  }

  /** What a volume for the claim would hold; undefined while none can be made. */
  #dataFor(claim: PersistentVolumeClaim): Data | undefined {
    const { api } = this.#simulation
    const { spec, metadata } = claim
    if (spec?.volumeName) return this.volumes.get(spec.volumeName)
    const storageClass = api.find(StorageClass, { name: spec?.storageClassName ?? '' })
    if (storageClass === undefined) return undefined
    if (storageClass.volumeBindingMode === 'WaitForFirstConsumer' && this.#consumers(claim) === 0) return undefined
    if (spec?.dataSource?.kind !== 'VolumeSnapshot')
      return { origin: `blank ${metadata.name}`, value: 0, window: undefined }
    const source = api.find(VolumeSnapshot, { namespace: metadata.namespace, name: spec.dataSource.name })
    if (source?.status?.readyToUse !== true) return undefined
    const cut = this.cuts.get(uidOf(source))
    return cut && { origin: uidOf(source), value: cut.value, window: undefined }
  }

  async #bind(claim: PersistentVolumeClaim, data: Data): Promise<void> {
    const { client, api } = this.#simulation
    const name = claim.spec?.volumeName || volumeName(uidOf(claim))
    const { namespace = '' } = claim.metadata
    const claimRef = { kind: 'PersistentVolumeClaim', namespace, name: claim.metadata.name, uid: uidOf(claim) }
    const present = api.find(PersistentVolume, { name })
    if (present === undefined) {
      this.volumes.set(name, { ...data })
      const spec = {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Delete',
        storageClassName: claim.spec?.storageClassName ?? '',
        claimRef,
        csi: { driver: 'csi.test', volumeHandle: name },
      }
      await client.create(PersistentVolume, objectOf(PersistentVolume, { name }, { spec }))
    } else {
      const taken = present.spec?.claimRef
      if (taken !== undefined && taken.uid !== undefined && taken.uid !== uidOf(claim)) return
      if (taken !== undefined && (taken.namespace !== namespace || taken.name !== claim.metadata.name)) return
      await client.patch(PersistentVolume, { name }, { spec: { claimRef } })
    }
    await client.patch(PersistentVolume, { name }, { status: { phase: 'Bound' } }, { subresource: 'status' })
    await client.patch(PersistentVolumeClaim, refOf(claim), {
      metadata: { uid: uidOf(claim), annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
      spec: { volumeName: name },
    })
    const status = { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] }
    await client.patch(PersistentVolumeClaim, refOf(claim), { status }, { subresource: 'status' })
    this.#simulation.note(`· claim ${claim.metadata.name} is bound, data of ${data.origin.slice(0, 24)}`)
  }

  async #lookAfterVolume(volume: PersistentVolume): Promise<void> {
    const { client, api } = this.#simulation
    const { claimRef, persistentVolumeReclaimPolicy } = volume.spec ?? {}
    const claim = api.find(PersistentVolumeClaim, { namespace: claimRef?.namespace, name: claimRef?.name ?? '' })
    if (claimRef === undefined || claimRef.uid === undefined) {
      if (volume.status?.phase !== 'Available') await this.#phase(volume, 'Available')
      return
    }
    if (claim?.metadata.uid === claimRef.uid) return
    if (volume.status?.phase !== 'Released') return await this.#phase(volume, 'Released')
    const deleting = volume.metadata.deletionTimestamp !== undefined
    if (persistentVolumeReclaimPolicy === 'Delete') {
      if (!this.#isDue(`reclaim/${volume.metadata.name}`, () => this.#lateMs(0.1, 3_000))) return
      this.#destroy(volume)
      if (!deleting) await client.delete(PersistentVolume, refOf(volume))
      await client.patch(PersistentVolume, refOf(volume), finalizerPatch(volume, volumeFinalizer, 'remove'))
    } else if (deleting)
      await client.patch(PersistentVolume, refOf(volume), finalizerPatch(volume, volumeFinalizer, 'remove'))
  }

  #destroy(volume: PersistentVolume): void {
    const data = this.volumes.get(volume.metadata.name)
    if (data === undefined) return
    this.#simulation.note(`· the data of claim ${volume.spec?.claimRef?.name} is destroyed`)
    this.onDestroy(volume, data)
    this.volumes.delete(volume.metadata.name)
  }

  async #phase(volume: PersistentVolume, phase: string): Promise<void> {
    await this.#simulation.client.patch(
      PersistentVolume,
      refOf(volume),
      { status: { phase } },
      { subresource: 'status' },
    )
  }

  async #lookAfterDataVolume(dataVolume: DataVolume): Promise<void> {
    const { client, api } = this.#simulation
    const { metadata, status } = dataVolume
    if (metadata.deletionTimestamp !== undefined) return
    const claim = api.find(PersistentVolumeClaim, metadata)
    const { annotations = {} } = metadata
    if (claim === undefined) {
      // One that is done never makes a disk again, and one that is told so waits for it.
      if (status?.phase === 'Succeeded' || annotations[prePopulatedAnnotation] !== undefined) return
      this.#simulation.note(`· DataVolume ${metadata.name} makes an empty claim`)
      const { name, namespace = '' } = metadata
      const spec = dataVolume.spec.pvc ?? {}
      await client.create(
        PersistentVolumeClaim,
        objectOf(PersistentVolumeClaim, { name, namespace, ownerReferences: [ownedBy(dataVolume)] }, { spec }),
      )
      return
    }
    const owner = controllerOf(claim)
    if (owner === undefined && claim.metadata.deletionTimestamp === undefined) {
      const offered = claim.metadata.annotations?.[populatedForAnnotation] === metadata.name
      if (!offered && annotations[allowClaimAdoptionAnnotation] !== 'true' && !annotations[prePopulatedAnnotation])
        return
      const ownerReferences = [...(claim.metadata.ownerReferences ?? []), ownedBy(dataVolume)]
      await client.patch(PersistentVolumeClaim, refOf(claim), { metadata: { uid: uidOf(claim), ownerReferences } })
      return
    }
    if (owner?.uid !== uidOf(dataVolume)) return
    const phase = claim.status?.phase === 'Bound' ? 'Succeeded' : 'PendingPopulation'
    if (status?.phase === phase || (status?.phase === 'Succeeded' && phase !== 'Succeeded')) return
    await client.patch(DataVolume, refOf(dataVolume), { status: { phase } }, { subresource: 'status' })
  }
}

function stateOf(guest: SimulatedGuest | undefined): Cut['guest'] {
  if (guest === undefined) return 'none'
  return guest.frozen ? 'frozen' : guest.paused ? 'paused' : 'running'
}
