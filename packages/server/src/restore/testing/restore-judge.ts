import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { lastRestoreUidAnnotation, restoredAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { parseRestored } from '@stillpoint/api/snapshot/restored'
import { needsBackendStorage } from '@stillpoint/api/snapshot/rules'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { Calm } from '../../controller/testing/calm.ts'
import { lab, type World } from '../../controller/testing/simulated-seeds.ts'
import type { Data } from '../../controller/testing/simulated-storage.ts'
import { markOf } from '../restored-volumes.ts'
import { StartJudge } from './start-judge.ts'

const { namespace } = lab
const startMs = 300_000
const requestsToConverge = 400
const requestsWhenQuiet = 60

/** Watches that nothing is lost, and says at the end what is not as it should be. */
export class RestoreJudge {
  readonly #world: World
  readonly starts: StartJudge
  /** UIDs of the restores that were complete once. */
  readonly #completed = new Set<string>()
  deleted = false
  wiped = false
  again = false
  waitsForConsumer = false
  vmDeleted = false
  /** Somebody took away what the restore needs. */
  robbed = false

  constructor(world: World) {
    this.#world = world
    this.starts = new StartJudge(world)
    world.storage.onDestroy = (volume, data) => this.#onDestroy(volume, data)
    world.simulation.api.onCommit(({ object, previous, type }, definition) => {
      if (definition === VirtualMachine && type === 'MODIFIED')
        this.#onVm(object as VirtualMachine, previous as VirtualMachine)
      if (definition === VirtualMachineRestore && type === 'MODIFIED')
        this.#onRestore(object as VirtualMachineRestore, previous as VirtualMachineRestore)
    })
  }

  #onRestore(restore: VirtualMachineRestore, previous: VirtualMachineRestore): void {
    const { simulation } = this.#world
    const failed = ({ status }: VirtualMachineRestore): string | undefined =>
      status?.conditions?.find(({ type, status: value }) => type === 'Failure' && value === 'True')?.reason
    if (previous.status?.complete && restore.status?.complete === false)
      simulation.violated('a complete restore is not any more')
    if (restore.status?.complete) this.#completed.add(uidOf(restore))
    if (restore.status === undefined) return
    if (failed(previous) !== undefined && failed(restore) === undefined)
      simulation.violated('a failed restore is not any more')
    const why = failed(previous) === undefined ? failed(restore) : undefined
    if (why === undefined || this.robbed || this.again) return
    const { targetReadinessPolicy: policy } = restore.spec
    const allowed =
      (policy === 'FailImmediate' && why.includes('must be powered off')) ||
      (policy === 'WaitGracePeriod' && why.includes('failed to be ready within 5m0s'))
    if (!allowed) simulation.violated(`fails for no good reason: ${why}`)
  }

  #onVm(vm: VirtualMachine, previous: VirtualMachine): void {
    const { simulation, machines } = this.#world
    const before = machines.claimsOf(previous).join()
    const after = (vm.spec.template.spec.volumes ?? []).flatMap((volume) => claimOf(volume) ?? [])
    if (before === machines.claimsOf(vm).join() || vm.metadata.deletionTimestamp !== undefined) return
    const instance = simulation.api.find(VirtualMachineInstance, vm.metadata)
    if (instance !== undefined && instance.status?.phase !== 'Succeeded' && instance.status?.phase !== 'Failed')
      simulation.violated(`the disks of the VM are exchanged under its guest (${instance.status?.phase})`)
    if (this.robbed) return
    for (const name of after)
      if (simulation.api.find(PersistentVolumeClaim, { namespace, name }) === undefined)
        simulation.violated(`the VM is switched to claim ${name}, which does not exist`)
  }

  /** An old disk may only go when the VM stands on new ones that are bound. */
  #onDestroy(volume: PersistentVolume, { origin }: Data): void {
    const { simulation, machines, storage } = this.#world
    const vm = simulation.api.find(VirtualMachine, lab)
    if (vm === undefined || vm.metadata.deletionTimestamp !== undefined || this.robbed || this.vmDeleted) return
    if (!origin.startsWith('blank')) return
    for (const name of machines.claimsOf(vm))
      if (storage.dataOf(namespace, name) === undefined)
        simulation.violated(`the data of ${volume.spec?.claimRef?.name} is destroyed and ${name} is not bound`)
  }

  async expectEnd(): Promise<void> {
    const { simulation, machines } = this.#world
    const { time, api } = simulation
    const calm = new Calm(simulation)
    let settled = false
    const stop = async (): Promise<void> => {
      const waiting = api.list(VirtualMachineRestore).some(({ status }) => !status?.complete)
      if (settled) return
      if (waiting)
        for (const vm of api.list(VirtualMachineInstance)) {
          this.starts.meddled = true
          await machines.stop({ namespace, name: vm.metadata.name }).catch(() => {})
        }
      time.after(20_000, () => void stop())
    }
    time.as(undefined, () => time.after(20_000, () => void stop()))
    const needed = await calm.converge(() => this.#unfinished())
    settled = true
    // A claim made for a VM that was just deleted is collected at once, and made again until the deletion is seen.
    if (needed > requestsToConverge && !this.vmDeleted) simulation.violated(`${needed} requests to come to an end`)
    await simulation.run(time.elapsedMs + 10_000)
    this.#checkData('at the end')
    if (!this.robbed && !this.vmDeleted && !this.again) this.starts.expectStarted()
    await this.#startAll()
    await simulation.run(time.elapsedMs + 10_000)
    await calm.expectQuiet(requestsWhenQuiet)
    for (const text of [...this.#unfinished(), ...this.#left()]) simulation.violated(`does not stay well: ${text}`)
    this.#checkData('after a start')
  }

  /** Whatever has become of a restore, its VM can be started. */
  async #startAll(): Promise<void> {
    const { simulation, machines } = this.#world
    const { api, time } = simulation
    if (this.robbed || this.vmDeleted) return
    this.#started = true
    for (const vm of api.list(VirtualMachine)) {
      if (vm.metadata.deletionTimestamp !== undefined || vm.status?.restoreInProgress) continue
      await machines.start({ namespace, name: vm.metadata.name })
      const runs = (): boolean => api.find(VirtualMachineInstance, vm.metadata)?.status?.phase === 'Running'
      if (!(await simulation.run(time.elapsedMs + startMs, runs)))
        simulation.violated(`VM ${vm.metadata.name} cannot be started on ${machines.claimsOf(vm).join(', ')}`)
    }
  }

  /** The disks of every VM are all old ones, or all those of one restore, with the data that was snapshotted. */
  #checkData(when: string): void {
    const { simulation, machines, storage } = this.#world
    if (this.robbed || this.vmDeleted) return
    for (const vm of simulation.api.list(VirtualMachine)) {
      if (vm.metadata.deletionTimestamp !== undefined) continue
      const states = machines.stateOf(vm).length
      if (needsBackendStorage(vm.spec) !== (states === 1))
        simulation.violated(`${when}, VM ${vm.metadata.name} has ${states} claims of its state`)
      const mark = vm.metadata.annotations?.[lastRestoreUidAnnotation]
      const restored = mark !== undefined
      for (const name of machines.claimsOf(vm)) {
        const claim = simulation.api.find(PersistentVolumeClaim, { namespace, name })
        const from = claim?.metadata.annotations?.[lastRestoreUidAnnotation]
        const data = storage.dataOf(namespace, name)
        if (claim === undefined || claim.metadata.deletionTimestamp !== undefined)
          simulation.violated(`${when}, VM ${vm.metadata.name} stands on claim ${name}, which is gone`)
        else if (from !== mark)
          simulation.violated(`${when}, claim ${name} of VM ${vm.metadata.name} is of ${from}, the VM of ${mark}`)
        else if (data !== undefined && data.origin.startsWith('blank') === restored)
          simulation.violated(`${when}, claim ${name} of VM ${vm.metadata.name} holds data of ${data.origin}`)
      }
    }
  }

  /** What is not in the history of the snapshot, once each, although it was restored. */
  #unrecorded(): string[] {
    const snapshot = this.#world.simulation.api.find(VirtualMachineSnapshot, { namespace, name: 'snap' })
    if (snapshot === undefined || snapshot.metadata.deletionTimestamp !== undefined) return []
    const told = parseRestored(snapshot.metadata.annotations?.[restoredAnnotation]).map(({ restoreUID }) => restoreUID)
    return [...this.#completed].flatMap((uid) => {
      const times = told.filter((each) => each === uid).length
      return times === 1 ? [] : [`restore ${uid} is ${times} times in the history of its snapshot`]
    })
  }

  #unfinished(): string[] {
    const { api } = this.#world.simulation
    const problems: string[] = [...this.starts.unfinished(), ...this.#unrecorded()]
    for (const restore of api.list(VirtualMachineRestore)) {
      const { name } = restore.metadata
      const { complete, conditions = [] } = restore.status ?? {}
      const said = conditions.map(({ type, status, reason = '' }) => `${type} ${status} ${reason}`).join(', ')
      if (restore.metadata.deletionTimestamp !== undefined) problems.push(`${name} is still being deleted`)
      else if (conditions.length === 0 || conditions.some(({ reason }) => !reason))
        problems.push(`${name} has no reason: ${said}`)
      else if (!complete && !said.includes('Failure True') && !this.#mayWait(said))
        problems.push(`${name} waits: ${said}`)
    }
    const open = new Set(
      api
        .list(VirtualMachineRestore)
        .filter(({ status }) => !status?.complete && !status?.conditions?.some(({ type }) => type === 'Failure'))
        .map(({ metadata }) => metadata.name),
    )
    for (const vm of api.list(VirtualMachine)) {
      const { restoreInProgress, snapshotInProgress } = vm.status ?? {}
      if (vm.metadata.deletionTimestamp !== undefined) problems.push(`VM ${vm.metadata.name} is still being deleted`)
      if (restoreInProgress && !open.has(restoreInProgress))
        problems.push(`VM ${vm.metadata.name} is still locked by ${restoreInProgress}`)
      if (snapshotInProgress) problems.push(`VM ${vm.metadata.name} is still locked by ${snapshotInProgress}`)
    }
    return problems
  }

  #started = false

  /** What a person must settle. */
  #mayWait(said: string): boolean {
    if (this.robbed || (this.#started && said.includes('power'))) return true
    if (said.includes('different but restore target already exists')) return this.again || this.vmDeleted
    return false
  }

  /** What nobody owns and no VM uses. */
  #left(): string[] {
    const { api } = this.#world.simulation
    const { machines } = this.#world
    if (this.robbed || this.wiped) return []
    // Old disks that were to go at the first start stay as long as the VM when their restore goes before that.
    const kept = this.waitsForConsumer && (this.deleted || this.again)
    const vms = api.list(VirtualMachine)
    const used = new Set(vms.flatMap((vm) => machines.claimsOf(vm)))
    const templates = new Set(
      vms.flatMap(({ spec }) => spec.dataVolumeTemplates?.map(({ metadata }) => metadata.name) ?? []),
    )
    const failed = new Set(
      api
        .list(VirtualMachineRestore)
        .filter(({ status }) => !status?.complete)
        .map(markOf),
    )
    const problems: string[] = []
    for (const claim of api.list(PersistentVolumeClaim)) {
      const mark = claim.metadata.annotations?.[lastRestoreUidAnnotation]
      const none = claim.metadata.ownerReferences === undefined
      if (claim.metadata.deletionTimestamp !== undefined)
        problems.push(`claim ${claim.metadata.name} is still being deleted`)
      else if (
        mark !== undefined &&
        !failed.has(mark) &&
        !used.has(claim.metadata.name) &&
        none &&
        !this.vmDeleted &&
        !this.again
      )
        problems.push(`claim ${claim.metadata.name} is left`)
      if (claim.metadata.labels?.['restore.kubevirt.io/cleanup-backend-pvc'] && !kept)
        problems.push(`the old state claim ${claim.metadata.name} is left`)
    }
    for (const { metadata } of api.list(DataVolume)) {
      const orphan = metadata.ownerReferences === undefined && !templates.has(metadata.name)
      const owned =
        metadata.ownerReferences?.some(({ kind }) => kind === 'VirtualMachine') && !templates.has(metadata.name)
      if ((orphan || owned) && !this.vmDeleted && failed.size === 0 && !kept)
        problems.push(`DataVolume ${metadata.name} is left`)
    }
    // A volume whose successor was not proven when its restore went is left to a person.
    for (const { metadata, status } of api.list(PersistentVolume))
      if (status?.phase === 'Released' && !(kept || (this.waitsForConsumer && this.vmDeleted)))
        problems.push(`volume ${metadata.name} is left`)
    return problems
  }
}
