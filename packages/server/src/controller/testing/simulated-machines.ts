import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { claimOf, effectiveRunStrategy, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { Condition } from '@stillpoint/api/meta/condition'
import { parseDurationMs } from '@stillpoint/api/meta/duration'
import { controllerOf, ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { failure, isAlreadyExists, isConflict } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { allowClaimAdoptionAnnotation, persistentStateLabel } from '@stillpoint/api/snapshot/keys'
import { startRevisionName } from '@stillpoint/api/snapshot/names'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { SubresourceCall } from '../../apiserver/api-server.ts'
import { refOf } from '../../kube/client.ts'
import { finalizerPatch, hasFinalizer } from '../finalizers.ts'
import type { SeededRandom } from './seeded-random.ts'
import { SimulatedGuest, type Write } from './simulated-guest.ts'
import { Actor, type Simulation } from './simulation.ts'

const vmFinalizer = 'kubevirt.io/virtualMachineControllerFinalize'
const vmiFinalizer = 'kubevirt.io/foregroundDeleteVirtualMachine'
const settled = new Set(['Succeeded', 'WaitForFirstConsumer', 'PendingPopulation'])

export interface Temper {
  agent: boolean
  /** Ends freezes by itself after ten seconds, and complains at the thaw. */
  windows: boolean
  /** Share of calls of the agent that go wrong. */
  agentFaults: number
}

/** Plays KubeVirt or our machine controllers: instances come and go as run strategies and requests say. */
export class SimulatedMachines {
  readonly #simulation: Simulation
  readonly #random: SeededRandom
  readonly #actor: Actor
  readonly guests = new Map<string, SimulatedGuest>()
  readonly temper: Temper
  /** Hears of each start that was asked for by the action and not refused. */
  onStart: (vm: { namespace: string; name: string }) => void = () => {}
  /** Disks of a guest are written through this. */
  writeTo: Write = () => {}

  constructor(simulation: Simulation, temper: Temper) {
    this.#simulation = simulation
    this.#random = simulation.random.fork()
    this.temper = temper
    this.#actor = new Actor(simulation, {
      kinds: [VirtualMachine, VirtualMachineInstance, DataVolume, PersistentVolumeClaim],
      delayMs: () => this.#random.delayMs(simulation.rough ? 30 : 10),
      step: () => this.#step(),
    })
    const { subresources } = simulation.api
    const vmis = 'subresources.kubevirt.io/virtualmachineinstances'
    subresources.set(`${vmis}/freeze`, (call) => this.#freeze(call))
    subresources.set(`${vmis}/unfreeze`, (call) => this.#thaw(call))
    subresources.set('subresources.kubevirt.io/virtualmachines/stop', (call) => this.#stop(call))
    subresources.set('subresources.kubevirt.io/virtualmachines/start', async (call) => {
      const answer = await this.#start(call)
      this.onStart(call)
      return answer
    })
  }

  /** The guest that has a claim open. */
  userOf(namespace: string, claim: string): SimulatedGuest | undefined {
    return [...this.guests.values()].find(
      (guest) => !guest.ended && guest.namespace === namespace && guest.claims.includes(claim),
    )
  }

  async #step(): Promise<void> {
    const { api } = this.#simulation
    for (const vm of api.list(VirtualMachine)) await this.#lookAfterVm(vm)
    for (const vmi of api.list(VirtualMachineInstance)) await this.#lookAfterInstance(vmi)
  }

  async #lookAfterVm(vm: VirtualMachine): Promise<void> {
    const { api, client } = this.#simulation
    const vmi = api.find(VirtualMachineInstance, vm.metadata)
    if (vm.metadata.deletionTimestamp !== undefined) {
      if (!hasFinalizer(vm, vmFinalizer)) return
      if (vmi === undefined) await client.patch(VirtualMachine, refOf(vm), finalizerPatch(vm, vmFinalizer, 'remove'))
      else if (vmi.metadata.deletionTimestamp === undefined) await this.#delete(vmi)
      return
    }
    if (!hasFinalizer(vm, vmFinalizer)) {
      await client.patch(VirtualMachine, refOf(vm), finalizerPatch(vm, vmFinalizer, 'add'))
      return
    }
    const restoring = Boolean(vm.status?.restoreInProgress)
    for (const template of vm.spec.dataVolumeTemplates ?? []) {
      const found = api.find(DataVolume, { namespace: vm.metadata.namespace, name: template.metadata.name })
      if (found === undefined && !restoring) await this.#createDataVolume(vm, template)
      else if (found !== undefined && controllerOf(found) === undefined)
        await client.patch(DataVolume, refOf(found), { metadata: { ownerReferences: [ownedBy(vm)] } })
    }
    const requests = vm.status?.stateChangeRequests ?? []
    const asked = (action: 'Start' | 'Stop'): boolean => requests.some((request) => request.action === action)
    const strategy = effectiveRunStrategy(vm.spec)
    const phase = vmi?.status?.phase
    const final = phase === 'Succeeded' || phase === 'Failed'
    if (vmi !== undefined) {
      if (vmi.metadata.deletionTimestamp !== undefined) return
      const kept = strategy === 'Once' || (strategy === 'Manual' && !asked('Start'))
      const stop = strategy === 'Halted' || asked('Stop') || (final && !kept)
      if (stop) await this.#delete(vmi)
      return
    }
    const switched = strategy === 'RerunOnFailure' && vm.status?.runStrategy !== strategy
    const wanted =
      strategy === 'Always' || strategy === 'Once' || (strategy !== 'Halted' && (asked('Start') || switched))
    if (requests.length > 0 && (!wanted || asked('Stop')))
      return void (await client.patch(
        VirtualMachine,
        refOf(vm),
        { status: { stateChangeRequests: requests.filter(({ action }) => action === 'Start') } },
        { subresource: 'status' },
      ))
    if (wanted && !restoring && this.#disksAreThere(vm)) await this.#createInstance(vm)
  }

  #disksAreThere(vm: VirtualMachine): boolean {
    const { api } = this.#simulation
    const { namespace } = vm.metadata
    const templates = (vm.spec.dataVolumeTemplates ?? []).every(({ metadata: { name } }) =>
      settled.has(api.find(DataVolume, { namespace, name })?.status?.phase ?? ''),
    )
    return templates && this.claimsOf(vm).every((name) => api.find(PersistentVolumeClaim, { namespace, name }))
  }

  /** Names of the claims a VM stands on, that of its persistent state last. */
  claimsOf(vm: VirtualMachine): string[] {
    return [...(vm.spec.template.spec.volumes ?? []).flatMap((volume) => claimOf(volume) ?? []), ...this.stateOf(vm)]
  }

  /** Names of the claims of its TPM and EFI state. */
  stateOf({ metadata: { name } }: VirtualMachine): string[] {
    return this.#simulation.api
      .list(PersistentVolumeClaim)
      .filter(({ metadata }) => metadata.labels?.[persistentStateLabel] === name)
      .map(({ metadata }) => metadata.name)
  }

  async #createDataVolume(
    vm: VirtualMachine,
    { metadata, spec }: NonNullable<VirtualMachine['spec']['dataVolumeTemplates']>[number],
  ): Promise<void> {
    const dataVolume = objectOf(
      DataVolume,
      {
        name: metadata.name,
        namespace: vm.metadata.namespace ?? '',
        annotations: { ...metadata.annotations, [allowClaimAdoptionAnnotation]: 'true' },
        ownerReferences: [ownedBy(vm)],
      },
      { spec },
    )
    this.#simulation.note(`· the VM makes DataVolume ${metadata.name}`)
    await this.#simulation.client.create(DataVolume, dataVolume)
  }

  async #createInstance(vm: VirtualMachine): Promise<void> {
    const { client } = this.#simulation
    const { namespace = '', name, generation = 1 } = vm.metadata
    const revision = startRevisionName(uidOf(vm), generation)
    const ownerReferences = [ownedBy(vm)]
    try {
      const meta = { name: revision, namespace, ownerReferences }
      await client.create(
        ControllerRevision,
        objectOf(ControllerRevision, meta, { revision: generation, data: { spec: vm.spec } }),
      )
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    const vmi = await client.create(
      VirtualMachineInstance,
      objectOf(
        VirtualMachineInstance,
        { name, namespace, ownerReferences, finalizers: [vmiFinalizer] },
        { spec: vm.spec.template.spec, status: { phase: 'Scheduling', virtualMachineRevisionName: revision } },
      ),
    )
    this.#simulation.note(`· the VM starts: instance ${uidOf(vmi).slice(0, 8)}`)
    const runStrategy = effectiveRunStrategy(vm.spec)
    const status = { stateChangeRequests: [], runStrategy }
    await client.patch(VirtualMachine, refOf(vm), { status }, { subresource: 'status' })
  }

  async #delete(vmi: VirtualMachineInstance): Promise<void> {
    this.#simulation.note(`· the instance ${uidOf(vmi).slice(0, 8)} is to stop`)
    await this.#simulation.client.delete(VirtualMachineInstance, refOf(vmi), { uid: uidOf(vmi) })
  }

  async #lookAfterInstance(vmi: VirtualMachineInstance): Promise<void> {
    const { api, client } = this.#simulation
    const guest = this.guests.get(uidOf(vmi))
    const phase = vmi.status?.phase
    if (vmi.metadata.deletionTimestamp !== undefined) {
      guest?.end()
      if (phase !== 'Succeeded' && phase !== 'Failed')
        await client.patch(VirtualMachineInstance, refOf(vmi), { status: { phase: 'Succeeded' } })
      else await client.patch(VirtualMachineInstance, refOf(vmi), finalizerPatch(vmi, vmiFinalizer, 'remove'))
      this.#actor.wake(this.#random.delayMs(50))
      return
    }
    if (phase !== 'Scheduling') return
    const vm = api.find(VirtualMachine, vmi.metadata)
    const claims = vm === undefined ? [] : this.claimsOf({ ...vm, spec: { ...vm.spec, template: { spec: vmi.spec } } })
    const { namespace = '' } = vmi.metadata
    const open = claims.map((name) => api.find(PersistentVolumeClaim, { namespace, name }))
    if (!open.every((claim) => claim?.status?.phase === 'Bound' && claim.metadata.deletionTimestamp === undefined))
      return
    const { time } = this.#simulation
    const born = new SimulatedGuest({ time, namespace, uid: uidOf(vmi), claims, write: this.writeTo, ...this.temper })
    born.onReport = (frozen) => void this.#report(vmi, frozen)
    this.guests.set(uidOf(vmi), born)
    this.#simulation.note(`· the guest ${uidOf(vmi).slice(0, 8)} runs on ${claims.join(', ')}`)
    await client.patch(VirtualMachineInstance, refOf(vmi), {
      status: { phase: 'Running', conditions: this.temper.agent ? [connected] : [] },
    })
  }

  /** The status tells a while later what the guest said of itself. */
  #report(vmi: VirtualMachineInstance, frozen: boolean): void {
    const { time, client, api } = this.#simulation
    time.as(undefined, () =>
      time.after(this.#random.delayMs(500), () => {
        const guest = this.guests.get(uidOf(vmi))
        const live = api.find(VirtualMachineInstance, vmi.metadata)
        if (guest === undefined || guest.frozen !== frozen || live?.metadata.uid !== uidOf(vmi)) return
        const patch = { metadata: { uid: uidOf(vmi) }, status: { fsFreezeStatus: frozen ? 'frozen' : null } }
        void client.patch(VirtualMachineInstance, refOf(vmi), patch).catch(() => {})
      }),
    )
  }

  /** Waits for, or acts on, every instance: pause, loss of the agent, death. */
  async change(what: 'pause' | 'unpause' | 'agent-gone' | 'agent-back' | 'die'): Promise<void> {
    const { api, client } = this.#simulation
    for (const vmi of api.list(VirtualMachineInstance)) {
      const guest = this.guests.get(uidOf(vmi))
      if (guest === undefined || guest.ended || vmi.metadata.deletionTimestamp !== undefined) continue
      const vm = api.find(VirtualMachine, vmi.metadata)
      if (what === 'unpause' && vm?.status?.snapshotInProgress) throw failure(409, 'Conflict', 'snapshot in progress')
      if (what === 'die') guest.end()
      if (what === 'pause' || what === 'unpause') guest.setPaused(what === 'pause')
      if (what === 'agent-gone' || what === 'agent-back') guest.agent = what === 'agent-back' && this.temper.agent
      const conditions = [...(guest.agent ? [connected] : []), ...(guest.paused ? [paused] : [])]
      const status = { conditions, ...(what === 'die' ? { phase: this.#random.pick(['Succeeded', 'Failed']) } : {}) }
      await client.patch(VirtualMachineInstance, refOf(vmi), { status })
    }
  }

  #guestOf({ namespace, name }: SubresourceCall): SimulatedGuest {
    const vmi = this.#simulation.api.find(VirtualMachineInstance, { namespace, name })
    if (vmi === undefined) throw failure(404, 'NotFound', `virtualmachineinstances "${name}" not found`)
    const guest = this.guests.get(uidOf(vmi))
    if (guest === undefined || guest.ended) throw failure(409, 'Conflict', 'VM is not running')
    return guest
  }

  async #freeze(call: SubresourceCall): Promise<{ code: number }> {
    const { unfreezeTimeout } = call.body as { unfreezeTimeout: string }
    return await this.#ask(call, 'freeze', (guest) => guest.freeze(parseDurationMs(unfreezeTimeout) ?? 0))
  }

  async #thaw(call: SubresourceCall): Promise<{ code: number }> {
    return await this.#ask(call, 'thaw', (guest) => {
      guest.thaw('asked')
      if (guest.takeComplaint()) throw failure(500, 'InternalError', 'fsfreeze is limited up to 10 seconds')
    })
  }

  /** One question to the agent, with all that can go wrong between it and the asker. */
  async #ask(call: SubresourceCall, what: string, act: (guest: SimulatedGuest) => void): Promise<{ code: number }> {
    const { time } = this.#simulation
    const guest = this.#guestOf(call)
    const fault =
      this.#simulation.rough && this.#random.chance(this.temper.agentFaults)
        ? this.#random.pick([
            'refuses',
            'is silent',
            'does it and is silent',
            'does it and fails',
            'loses its connection',
          ])
        : undefined
    if (fault !== undefined) this.#simulation.note(`· asked to ${what}, the agent ${fault}`)
    await time.sleep(this.#random.delayMs(20))
    if (guest.ended) throw failure(409, 'Conflict', 'VM is not running')
    if (guest.paused) throw failure(500, 'InternalError', `command ${what} failed: the VM is paused`)
    if (!guest.agent || fault === 'loses its connection') {
      await time.sleep(this.#random.between(1, 5_000))
      throw failure(500, 'InternalError', 'Guest agent is not responding')
    }
    if (fault === 'refuses') throw failure(500, 'InternalError', `command ${what} failed: the agent refuses`)
    if (fault === 'is silent') await new Promise(() => {})
    act(guest)
    if (fault === 'does it and is silent') await new Promise(() => {})
    if (fault === 'does it and fails') throw failure(500, 'InternalError', `command ${what} failed: unknown`)
    await time.sleep(this.#random.delayMs(5))
    return { code: 200 }
  }

  async #stop({ namespace, name }: Pick<SubresourceCall, 'namespace' | 'name'>): Promise<{ code: number }> {
    const { api, client } = this.#simulation
    const vm = api.find(VirtualMachine, { namespace, name })
    if (vm === undefined) throw failure(404, 'NotFound', `virtualmachines "${name}" not found`)
    const strategy = effectiveRunStrategy(vm.spec)
    const live = api.find(VirtualMachineInstance, { namespace, name })
    const isSwitch = strategy === 'Always' || strategy === 'Once'
    if (live === undefined && !isSwitch) throw failure(409, 'Conflict', 'VM is not running')
    if (isSwitch) await client.patch(VirtualMachine, refOf(vm), { spec: { runStrategy: 'Halted' } })
    else {
      const stateChangeRequests = [{ action: 'Stop', ...(live === undefined ? {} : { uid: uidOf(live) }) }]
      await client.patch(VirtualMachine, refOf(vm), { status: { stateChangeRequests } }, { subresource: 'status' })
    }
    return { code: 202 }
  }

  /** As a user does it. */
  async stop(ref: { namespace: string; name: string }): Promise<void> {
    await this.#stop(ref)
  }

  /** As a user does it; a start that is refused is none. */
  async start(ref: { namespace: string; name: string }): Promise<void> {
    const { api } = this.#simulation
    if (api.find(VirtualMachine, ref) === undefined) return
    await this.#start(ref).catch((error: unknown) => {
      if (!isConflict(error)) throw error
    })
  }

  /** Refuses as KubeVirt does; a restore alone does not keep it from taking a request. */
  async #start({ namespace, name }: Pick<SubresourceCall, 'namespace' | 'name'>): Promise<{ code: number }> {
    const { api, client } = this.#simulation
    const vm = api.find(VirtualMachine, { namespace, name })
    if (vm === undefined) throw failure(404, 'NotFound', `virtualmachines "${name}" not found`)
    const refuse = (why: string) => failure(409, 'Conflict', why)
    const strategy = effectiveRunStrategy(vm.spec)
    const phase = api.find(VirtualMachineInstance, { namespace, name })?.status?.phase
    if (phase !== undefined && phase !== 'Succeeded' && phase !== 'Failed') throw refuse('VM is already running')
    if (strategy === 'Always' || strategy === 'Once') throw refuse(`${strategy} does not support manual start requests`)
    if (strategy === 'RerunOnFailure' && phase === 'Failed')
      throw refuse('RerunOnFailure does not support starting VM from failed state')
    if (strategy === 'Halted') await client.patch(VirtualMachine, refOf(vm), { spec: { runStrategy: 'Always' } })
    else if (vm.status?.stateChangeRequests?.length) throw refuse('stop/start already underway')
    else {
      const status = { stateChangeRequests: [{ action: 'Start' }] }
      await client.patch(VirtualMachine, refOf(vm), { status }, { subresource: 'status' })
    }
    return { code: 202 }
  }
}

const connected: Condition = { type: 'AgentConnected', status: 'True' }
const paused: Condition = { type: 'Paused', status: 'True' }
