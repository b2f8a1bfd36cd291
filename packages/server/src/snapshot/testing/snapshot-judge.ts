import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { parseFreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import {
  consistencyAnnotation,
  cutSetAnnotation,
  freezeReportAnnotation,
  sourceFinalizer,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { deadlineOf, retainsContent } from '@stillpoint/api/snapshot/rules'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { Calm } from '../../controller/testing/calm.ts'
import { lab, type World } from '../../controller/testing/simulated-seeds.ts'
import { attemptOf } from '../volume-snapshots.ts'

const { namespace } = lab
const leaseMs = 30_000
const requestsToConverge = 400
const requestsWhenQuiet = 60

/** Watches the world for what must never be, and says at the end what is not as it should be. */
export class SnapshotJudge {
  readonly #world: World
  readonly deleted = new Set<string>()
  /** Somebody took away a part of a snapshot. */
  robbed = false

  constructor(world: World) {
    this.#world = world
    world.simulation.api.onCommit(({ object, previous, type }, definition) => {
      if (type === 'DELETED') return
      if (definition === VirtualMachineSnapshot)
        this.#onSnapshot(object as VirtualMachineSnapshot, previous as VirtualMachineSnapshot | undefined)
      if (definition === VirtualMachine) this.#onVm(object as VirtualMachine, previous as VirtualMachine | undefined)
    })
  }

  #frozen(): boolean {
    return [...this.#world.machines.guests.values()].some((guest) => !guest.ended && guest.frozen && !guest.paused)
  }

  #onVm(vm: VirtualMachine, previous: VirtualMachine | undefined): void {
    if (previous?.status?.snapshotInProgress && !vm.status?.snapshotInProgress && this.#frozen())
      this.#world.simulation.violated('the VM is unlocked while its guest is frozen')
  }

  #onSnapshot(snapshot: VirtualMachineSnapshot, previous: VirtualMachineSnapshot | undefined): void {
    const { phase } = snapshot.status ?? {}
    if (retainsContent(snapshot)) this.#retained.add(contentName(uidOf(snapshot)))
    if (phase === previous?.status?.phase) return
    const was = previous?.status?.phase
    if (was === 'Succeeded' && phase !== undefined)
      this.#world.simulation.violated(`a snapshot that has ended (${was}) becomes ${phase}`)
    if (phase === 'Succeeded') this.#onSuccess(snapshot)
    if (phase === 'Failed') this.#onFailure(snapshot)
  }

  #onFailure(snapshot: VirtualMachineSnapshot): void {
    const { simulation } = this.#world
    const why = snapshot.status?.conditions?.find(({ type }) => type === 'Failure')?.reason ?? ''
    if (why.startsWith('required consistency')) {
      if (snapshot.metadata.annotations?.[consistencyAnnotation] !== 'Required')
        simulation.violated(`fails for a consistency that was not required: ${why}`)
      return
    }
    const deadline = deadlineOf(snapshot)
    if (why !== 'snapshot deadline exceeded' || deadline === undefined || deadline > simulation.time.nowMs) {
      simulation.violated(`fails for no good reason: ${why}`)
      return
    }
    const cuts = this.#members(snapshot)
    const longAgoMs = simulation.time.nowMs - (simulation.rough ? 60_000 : 2_000)
    if (cuts?.every((cut) => cut !== undefined && cut.atMs < Math.min(longAgoMs, deadline)))
      simulation.violated('fails for the clock although everything was cut')
  }

  /** The cuts a content stands on; undefined without a content. */
  #members(snapshot: VirtualMachineSnapshot) {
    const { api } = this.#world.simulation
    const content = api.find(VirtualMachineSnapshotContent, { namespace, name: contentName(uidOf(snapshot)) })
    const attempt = parseFreezeReport(content?.metadata.annotations?.[freezeReportAnnotation])?.attempt ?? 1
    return content?.spec.volumeBackups?.map(({ volumeSnapshotName = '' }) => {
      const found = api.find(VolumeSnapshot, { namespace, name: volumeSnapshotName })
      const cut = found && this.#world.storage.cuts.get(uidOf(found))
      // What an earlier attempt cut is another point in time.
      if (found !== undefined && attemptOf(found) !== attempt) return undefined
      return cut && { ...cut, set: found?.metadata.annotations?.[cutSetAnnotation] }
    })
  }

  #onSuccess(snapshot: VirtualMachineSnapshot): void {
    const { simulation } = this.#world
    const holder = simulation.api.find(VirtualMachine, lab)?.status?.snapshotInProgress
    if (this.#frozen() && holder === snapshot.metadata.name) simulation.violated('succeeds while the guest is frozen')
    const cuts = this.#members(snapshot)
    if (this.robbed || cuts === undefined) return
    const taken = cuts.filter((cut) => cut !== undefined)
    if (taken.length < cuts.length) simulation.violated('succeeds although not everything is cut')
    if (new Set(taken.map(({ set }) => set)).size > 1) simulation.violated('is made of cuts of several attempts')
    const said = snapshot.status?.indications ?? []
    const truth = taken.map(({ claim, guest, window }) => `${claim} ${guest} ${window?.slice(-2) ?? ''}`).join(', ')
    const windows = new Set(taken.map(({ window }) => window))
    if (said.includes('GuestAgent') && !said.includes('QuiesceTimeout'))
      if (windows.has(undefined) || windows.size > 1)
        simulation.violated(`says it is application-consistent, and was cut: ${truth}`)
    const required = snapshot.metadata.annotations?.[consistencyAnnotation] === 'Required'
    if (required && (said.includes('QuiesceTimeout') || said.includes('NoGuestAgent') || said.includes('Paused')))
      simulation.violated(`succeeds without the consistency that is required: ${said.join(', ')}`)
    // A guest that was started and has ended between the decision to cut and the last look is known not to be told.
    const seen = taken.some(({ guestUid = '' }) => this.#world.machines.guests.get(guestUid)?.ended === false)
    if (!said.includes('Online') && seen) simulation.violated(`says the VM was offline, and was cut: ${truth}`)
  }

  async expectEnd(): Promise<void> {
    const { simulation, machines } = this.#world
    const { time } = simulation
    const heal = async (): Promise<void> => {
      await machines.change('agent-back')
      await machines.change('unpause').catch(() => {})
      if (simulation.problems.length === 0) time.after(5_000, () => void heal())
    }
    time.as(undefined, () => void heal())
    const calm = new Calm(simulation)
    const needed = await calm.converge(() => this.#unfinished())
    if (needed > requestsToConverge) simulation.violated(`${needed} requests to come to an end`)
    await simulation.run(time.elapsedMs + 10_000)
    await calm.expectQuiet(requestsWhenQuiet)
    for (const text of this.#unfinished()) simulation.violated(`does not stay well: ${text}`)
    for (const guest of machines.guests.values())
      for (const { fromMs, toMs = time.nowMs, paused, end } of guest.freezes)
        if (!paused && toMs - fromMs > leaseMs + 100)
          simulation.violated(`a guest was frozen for ${Math.round(toMs - fromMs)} ms (${end})`)
  }

  #unfinished(): string[] {
    const { simulation } = this.#world
    const { api } = simulation
    const problems: string[] = []
    const snapshots = api.list(VirtualMachineSnapshot)
    for (const snapshot of snapshots) problems.push(...this.#unfinishedSnapshot(snapshot))
    for (const vm of api.list(VirtualMachine)) {
      if (vm.metadata.deletionTimestamp !== undefined) problems.push('the deleted VM is still there')
      if (vm.status?.snapshotInProgress) problems.push('the VM is still locked')
      if (vm.metadata.finalizers?.includes(sourceFinalizer)) problems.push('the VM still has the finalizer of the lock')
    }
    const known = new Map(snapshots.map((snapshot) => [contentName(uidOf(snapshot)), snapshot]))
    for (const content of api.list(VirtualMachineSnapshotContent)) {
      const snapshot = known.get(content.metadata.name)
      const retained = (content.status?.readyToUse === true || this.robbed) && this.#retained.has(content.metadata.name)
      if (content.metadata.deletionTimestamp !== undefined) problems.push('a deleted content is still there')
      else if (snapshot === undefined && !retained) problems.push('a content without its snapshot is left')
      else if (snapshot?.status?.phase === 'Failed') problems.push('a failed snapshot still has its content')
    }
    const owners = new Set(api.list(VirtualMachineSnapshotContent).map(uidOf))
    for (const { metadata } of api.list(VolumeSnapshot))
      if (!metadata.ownerReferences?.some(({ uid }) => owners.has(uid)))
        problems.push(`VolumeSnapshot ${metadata.name} is left`)
    if (this.#frozen()) problems.push('the guest is still frozen')
    return problems
  }

  readonly #retained = new Set<string>()

  #unfinishedSnapshot(snapshot: VirtualMachineSnapshot): string[] {
    const { api } = this.#world.simulation
    const { name } = snapshot.metadata
    const { phase, conditions = [], readyToUse, error } = snapshot.status ?? {}
    if (snapshot.metadata.deletionTimestamp !== undefined) return [`${name} is still being deleted`]
    const said = conditions.map(({ type, status, reason = '' }) => `${type} ${status} ${reason}`).join(', ')
    if (conditions.length === 0 || conditions.some(({ reason }) => !reason)) return [`${name} has no reason: ${said}`]
    if (phase === 'Failed') return []
    if (phase === 'Succeeded') {
      if (readyToUse || this.robbed) return []
      return [`${name} has succeeded and is not ready: ${said} ${error?.message ?? ''}`]
    }
    const absent = api.find(VirtualMachine, lab) === undefined
    if (absent && deadlineOf(snapshot) === undefined && said.includes('Source does not exist')) return []
    return [`${name} is ${phase ?? 'without a phase'}: ${said} ${error?.message ?? ''}`]
  }
}
