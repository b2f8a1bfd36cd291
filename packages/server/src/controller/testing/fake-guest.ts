import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf, ownedBy } from '@stillpoint/api/meta/object-meta'
import { StatusError } from '@stillpoint/api/meta/status-error'
import { cutSetAnnotation, parseCutSet, populatedForAnnotation } from '@stillpoint/api/snapshot/keys'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { pino } from 'pino'
import { refOf } from '../../kube/client.ts'
import { Informers } from '../../kube/informers.ts'
import { TransportError } from '../../kube/transport.ts'
import { rfc3339 } from '../conditions.ts'
import type { Bench } from './bench.ts'

/** Plays the guest agent: knows whether it is frozen, and remembers what was asked of it. */
export class FakeGuest {
  frozen = false
  readonly calls: string[] = []
  /** Texts of the failures of the next calls; one is taken per call. */
  freezeFailures: string[] = []
  thawFailures: string[] = []
  /** How often the guest's own hooks ran. */
  thawHooks = 0
  /** When it was last frozen and thawed. */
  frozenAt = 0
  longestMs = 0

  constructor(bench: Bench) {
    bench.subresources.set('subresources.kubevirt.io/virtualmachineinstances/freeze', async () => {
      this.calls.push('freeze')
      const failure = this.freezeFailures.shift()
      if (failure !== undefined) throw refused(failure)
      this.frozen = true
      this.frozenAt = performance.now()
      return { code: 200 }
    })
    bench.subresources.set('subresources.kubevirt.io/virtualmachineinstances/unfreeze', async () => {
      this.calls.push('unfreeze')
      const failure = this.thawFailures.shift()
      if (failure !== undefined) throw refused(failure)
      if (this.frozen) {
        this.thawHooks += 1
        this.longestMs = Math.max(this.longestMs, performance.now() - this.frozenAt)
      }
      this.frozen = false
      return { code: 200 }
    })
  }
}

function refused(message: string): StatusError {
  return new StatusError({
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    code: 500,
    reason: 'InternalError',
    message,
  })
}

/** Plays the storage: binds claims, cuts sets when all their members are there. */
export class FakeStorage {
  readonly #bench: Bench
  readonly #informers: Informers
  /** Cuts nothing while false. */
  cutting = true
  /** Sets by id that are never cut. */
  readonly ignoredSets = new Set<string>()
  binding = true
  /** Whether a cut is at once ready to use. */
  readyAtOnce = true
  readonly cut: string[] = []
  /** Cuts made while the guest was not frozen. */
  frozenAtCut: boolean[] = []
  guest: FakeGuest | undefined

  constructor(bench: Bench) {
    this.#bench = bench
    this.#informers = new Informers(bench.client, pino({ level: 'silent' }))
    this.#informers.of(VolumeSnapshot).onChange(() => void this.work())
    this.#informers.of(PersistentVolumeClaim).onChange(() => void this.work())
    this.#informers.of(DataVolume).onChange(() => void this.work())
    this.#informers.of(PersistentVolume).onChange(() => void this.work())
  }

  async start(): Promise<this> {
    await this.#informers.start()
    return this
  }

  async close(): Promise<void> {
    await this.#informers.close()
  }

  /** Does what there is to do; called on every change. */
  async work(): Promise<void> {
    const { client } = this.#bench
    const snapshots = this.#informers.of(VolumeSnapshot)
    const claims = this.#informers.of(PersistentVolumeClaim)
    const tasks: Promise<unknown>[] = []
    if (this.cutting) {
      const open = snapshots
        .list()
        .filter(
          ({ metadata, status }) => metadata.deletionTimestamp === undefined && status?.creationTime === undefined,
        )
      for (const member of open) {
        const set = parseCutSet(member.metadata.annotations?.[cutSetAnnotation])
        const name = `${member.metadata.namespace}/${member.metadata.name}/${member.metadata.uid}`
        const present = snapshots
          .list()
          .filter(({ metadata }) => parseCutSet(metadata.annotations?.[cutSetAnnotation])?.id === set?.id).length
        if (set === undefined || this.ignoredSets.has(set.id) || present < set.size || this.cut.includes(name)) continue
        this.cut.push(name)
        this.frozenAtCut.push(this.guest?.frozen ?? false)
        const status = { creationTime: rfc3339(new Date()), readyToUse: this.readyAtOnce, restoreSize: '1Gi' }
        tasks.push(
          insistently(() => client.patch(VolumeSnapshot, refOf(member), { status }, { subresource: 'status' })),
        )
      }
    }
    if (this.binding)
      for (const claim of claims.list())
        if (claim.status?.phase !== 'Bound' && claim.metadata.deletionTimestamp === undefined && claim.spec?.dataSource)
          tasks.push(
            insistently(() =>
              client.patch(
                PersistentVolumeClaim,
                refOf(claim),
                { status: { phase: 'Bound' } },
                { subresource: 'status' },
              ),
            ),
          )
    for (const volume of this.#informers.of(PersistentVolume).list()) tasks.push(...this.#rebind(volume))
    for (const dataVolume of this.#informers.of(DataVolume).list()) tasks.push(...this.#adopt(dataVolume))
    // What has been deleted meanwhile needs nothing.
    await Promise.allSettled(tasks)
  }

  /** A volume that is reserved for a claim by name is bound to the claim of that name that names it. */
  #rebind({ metadata, spec }: PersistentVolume): Promise<unknown>[] {
    const { client } = this.#bench
    const { namespace, name, uid } = spec?.claimRef ?? {}
    const claim = this.#informers.of(PersistentVolumeClaim).get(`${namespace}/${name}`)
    if (uid || claim?.spec?.volumeName !== metadata.name) return []
    return [
      client.patch(
        PersistentVolume,
        { name: metadata.name },
        { spec: { claimRef: { uid: claim.metadata.uid ?? null } } },
      ),
      client.patch(PersistentVolumeClaim, refOf(claim), { status: { phase: 'Bound' } }, { subresource: 'status' }),
    ]
  }

  /** A DataVolume takes a filled claim of its name as its own. */
  #adopt(dataVolume: DataVolume): Promise<unknown>[] {
    const { client } = this.#bench
    const claim = this.#informers.of(PersistentVolumeClaim).get(keyOf(dataVolume))
    if (dataVolume.status?.phase === 'Succeeded' && claim?.metadata.ownerReferences?.length) return []
    if (claim?.metadata.annotations?.[populatedForAnnotation] !== dataVolume.metadata.name) return []
    const metadata = { ownerReferences: [ownedBy(dataVolume)] }
    return [
      insistently(() => client.patch(PersistentVolumeClaim, refOf(claim), { metadata })),
      insistently(() =>
        client.patch(DataVolume, refOf(dataVolume), { status: { phase: 'Succeeded' } }, { subresource: 'status' }),
      ),
    ]
  }
}

/** Sends again what nobody answered: a connection kept open may have been closed just then. */
async function insistently<T>(send: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof TransportError) || tries === 5) throw error
    }
  }
}

/** Creates the VMI that makes a VM count as running. */
export async function bootVm(
  bench: Bench,
  ref: { namespace: string; name: string },
  { agent = true, paused = false, revision }: { agent?: boolean; paused?: boolean; revision?: string } = {},
): Promise<void> {
  const conditions = [
    ...(agent ? [{ type: 'AgentConnected', status: 'True' as const }] : []),
    ...(paused ? [{ type: 'Paused', status: 'True' as const }] : []),
  ]
  await bench.client.create(VirtualMachineInstance, {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: ref,
    spec: { domain: { devices: {} } },
    status: {
      phase: 'Running',
      conditions,
      ...(revision === undefined ? {} : { virtualMachineRevisionName: revision }),
    },
  })
}
