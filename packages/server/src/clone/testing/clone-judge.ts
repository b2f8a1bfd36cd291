import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { bearsMarkOf, snapshotNameOf, targetNameOf } from '@stillpoint/api/clone/names'
import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { type KubeObject, uidOf } from '@stillpoint/api/meta/object-meta'
import { cutSetAnnotation, lastRestoreUidAnnotation, parseCutSet, sourceFinalizer } from '@stillpoint/api/snapshot/keys'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { Calm } from '../../controller/testing/calm.ts'
import { type Layout, lab, type World } from '../../controller/testing/simulated-seeds.ts'
import { whatIsWrong } from './copy-at-birth.ts'

const { namespace } = lab
const leaseMs = 30_000
const deadlineMs = 300_000
const startMs = 300_000
const requestsToConverge = 600
const requestsWhenQuiet = 80
const markOfClones = 'tmp-restore-'

/** What users did, where it explains an end that would otherwise be wrong. */
export type Did =
  | 'robbed'
  | 'wiped'
  | 'snapshot deleted'
  | 'restore deleted'
  | 'target deleted'
  | 'source deleted'
  | 'rival'
  | 'another clone'

/** Watches that nothing of others is touched, and says at the end what is not as it should be. */
export class CloneJudge {
  readonly #world: World
  readonly #groups: boolean
  readonly layout: Layout
  readonly did = new Set<Did>()
  /** The set each VolumeSnapshot was cut in, by UID; kept when it is gone. */
  readonly #sets = new Map<string, string>()
  readonly #source: VirtualMachine | undefined

  constructor(world: World, { groups, layout }: { groups: boolean; layout: Layout }) {
    this.#world = world
    this.#groups = groups
    this.layout = layout
    const { simulation } = world
    const { api } = simulation
    this.#source = api.find(VirtualMachine, lab)
    world.storage.onDestroy = ({ spec }, { origin }) => {
      const name = origin.replace(/^blank /, '')
      const own = name.startsWith('persistent-state') || layout.templated.some((disk) => `${disk}-claim` === name)
      const went = this.did.has('source deleted') && own
      if (origin.startsWith('blank') && !went) simulation.violated(`the data of ${spec?.claimRef?.name} is destroyed`)
    }
    api.onCommit(({ object, previous, type }, definition) => {
      if (type === 'DELETED') return
      if (definition === VolumeSnapshot) this.#onVolumeSnapshot(object as VolumeSnapshot)
      if (definition === VirtualMachine) this.#onVm(object as VirtualMachine, previous as VirtualMachine | undefined)
      if (definition === VirtualMachineClone)
        this.#onClone(object as VirtualMachineClone, previous as VirtualMachineClone | undefined)
    })
  }

  /** The mark of the restore of a clone; undefined on what no clone made. */
  markOf({ annotations }: KubeObject['metadata']): string | undefined {
    const mark = annotations?.[lastRestoreUidAnnotation]
    return mark?.startsWith(markOfClones) ? mark : undefined
  }

  #onVolumeSnapshot(snapshot: VolumeSnapshot): void {
    const set = parseCutSet(snapshot.metadata.annotations?.[cutSetAnnotation])
    if (set !== undefined) this.#sets.set(uidOf(snapshot), set.id)
  }

  #onVm(vm: VirtualMachine, previous: VirtualMachine | undefined): void {
    const { simulation } = this.#world
    const mark = this.markOf(vm.metadata)
    if (previous === undefined) {
      if (mark !== undefined) this.#onCopy(vm, mark)
      return
    }
    if (mark !== this.markOf(previous.metadata)) simulation.violated(`VM ${vm.metadata.name} is taken over by ${mark}`)
    if (vm.metadata.uid === this.#source?.metadata.uid) {
      const definition = ({ spec: { runStrategy: _, ...rest } }: VirtualMachine) => JSON.stringify(rest)
      if (definition(vm) !== definition(previous)) simulation.violated('the definition of the source is changed')
    }
  }

  #onCopy(vm: VirtualMachine, mark: string): void {
    const { simulation } = this.#world
    const clone = this.#clones().find((found) => bearsMarkOf(uidOf(found), mark))
    const wrong = clone === undefined ? ['is made for a clone that is gone'] : whatIsWrong(vm, clone, this.layout)
    for (const text of wrong) simulation.violated(`copy ${vm.metadata.name} ${text}`)
  }

  #onClone(clone: VirtualMachineClone, previous: VirtualMachineClone | undefined): void {
    const { simulation } = this.#world
    const { phase, conditions = [] } = clone.status ?? {}
    const was = previous?.status?.phase
    for (const { type, reason, message } of conditions)
      if (!reason || (reason === 'Pending' && !message)) simulation.violated(`the clone has no reason: ${type}`)
    if (phase === was) return
    if ((was === 'Succeeded' || was === 'Failed') && phase !== undefined)
      simulation.violated(`a clone that has ended (${was}) becomes ${phase}`)
    const why = conditions.find(({ type }) => type === 'Ready')?.message ?? ''
    if (phase === 'Failed' && !this.#mayFail(clone, why)) simulation.violated(`fails for no good reason: ${why}`)
    if (phase === 'Succeeded' && this.#copyOf(clone) === undefined && !this.did.has('target deleted'))
      simulation.violated('succeeds without a copy')
  }

  #mayFail(clone: VirtualMachineClone, why: string): boolean {
    const { spec } = clone
    const { time, api } = this.#world.simulation
    const snapshot = api.find(VirtualMachineSnapshot, { namespace, name: snapshotNameOf(clone) })
    const snapshotAgeMs = time.nowMs - Date.parse(snapshot?.metadata.creationTimestamp ?? '')
    const did = (...deeds: Did[]): boolean => deeds.some((deed) => this.did.has(deed))
    const allowed: [string, boolean][] = [
      ['exists already, and this clone did not make it', did('rival', 'another clone')],
      ['is invalid', did('rival', 'another clone')],
      ['in progress', did('another clone')],
      ['must be powered off', did('rival', 'another clone')],
      [`VirtualMachine ${targetNameOf(clone)} was deleted`, did('target deleted')],
      ['VirtualMachineSnapshot', why.includes('was deleted') && did('snapshot deleted', 'robbed', 'wiped')],
      ['VirtualMachineRestore', why.includes('was deleted') && did('restore deleted', 'target deleted', 'wiped')],
      ['snapshot deadline exceeded', snapshotAgeMs >= deadlineMs],
      ['error patching VM', spec.patches?.some((patch) => patch.includes('nothing')) === true],
      ['names interfaces the virtual machine does not have: green', spec.newMacAddresses?.green !== undefined],
      ['persistent TPM or EFI state cannot be cloned', this.layout.state],
    ]
    return allowed.some(([text, holds]) => holds && why.includes(text))
  }

  #clones(): VirtualMachineClone[] {
    return this.#world.simulation.api.list(VirtualMachineClone)
  }

  #copyOf(clone: VirtualMachineClone): VirtualMachine | undefined {
    const vm = this.#world.simulation.api.find(VirtualMachine, { namespace, name: targetNameOf(clone) })
    return vm !== undefined && bearsMarkOf(uidOf(clone), this.markOf(vm.metadata)) ? vm : undefined
  }

  #copies(): VirtualMachine[] {
    return this.#world.simulation.api.list(VirtualMachine).filter(({ metadata }) => this.markOf(metadata) !== undefined)
  }

  async expectEnd(): Promise<void> {
    const { simulation, machines } = this.#world
    const { time } = simulation
    const calm = new Calm(simulation)
    await machines.change('agent-back')
    const needed = await calm.converge(() => this.#unfinished())
    if (needed > requestsToConverge) simulation.violated(`${needed} requests to come to an end`)
    await simulation.run(time.elapsedMs + 10_000)
    this.#checkCopies('at the end')
    await this.#startCopies()
    await simulation.run(time.elapsedMs + 60_000)
    await calm.expectQuiet(requestsWhenQuiet)
    for (const text of [...this.#unfinished(), ...this.#left()]) simulation.violated(`does not stay well: ${text}`)
    this.#checkCopies('after a start')
    for (const guest of machines.guests.values())
      for (const { fromMs, toMs = time.nowMs, end } of guest.freezes)
        if (toMs - fromMs > leaseMs + 100)
          simulation.violated(`a guest was frozen for ${Math.round(toMs - fromMs)} ms (${end})`)
  }

  /** Every copy can be started, and that binds what waited for it. */
  async #startCopies(): Promise<void> {
    const { simulation, machines } = this.#world
    const { api, time } = simulation
    if (this.did.has('robbed') || this.#lostItsSource()) return
    for (const { metadata } of this.#copies()) {
      if (metadata.deletionTimestamp !== undefined) continue
      await machines.start({ namespace, name: metadata.name })
      const runs = (): boolean => api.find(VirtualMachineInstance, metadata)?.status?.phase === 'Running'
      if (!(await simulation.run(time.elapsedMs + startMs, runs)))
        simulation.violated(`VM ${metadata.name} cannot be started`)
    }
    this.#started = true
  }

  #started = false

  /** Somebody deleted the snapshot that was still to fill the disks of the copy. */
  #lostItsSource(): boolean {
    return this.layout.waitsForConsumer && this.did.has('snapshot deleted')
  }

  /** A copy stands on disks of its own clone, with the data of one instant of the source. */
  #checkCopies(when: string): void {
    const { simulation, machines, storage } = this.#world
    const { api } = simulation
    // One that was deleted before its restore was complete may have been made again, while its disks went.
    if (this.did.has('robbed') || this.did.has('target deleted')) return
    for (const vm of this.#copies()) {
      if (vm.metadata.deletionTimestamp !== undefined) continue
      const wrong = (text: string): void => simulation.violated(`${when}, copy ${vm.metadata.name} ${text}`)
      const [sets, instants] = [new Set<string | undefined>(), new Set<number | undefined>()]
      for (const name of machines.claimsOf(vm)) {
        const claim = api.find(PersistentVolumeClaim, { namespace, name })
        const data = storage.dataOf(namespace, name)
        if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) wrong(`lacks claim ${name}`)
        else if (this.markOf(claim.metadata) !== this.markOf(vm.metadata)) wrong(`stands on ${name} of another`)
        else if (data === undefined) {
          if (!this.layout.waitsForConsumer || (this.#started && !this.#lostItsSource())) wrong(`waits for ${name}`)
        } else {
          const cut = storage.cuts.get(data.origin)
          const volume = vm.spec.template.spec.volumes?.find((each) => claimOf(each) === name)?.name
          if (cut?.claim !== `${volume}-claim`) wrong(`has data of ${cut?.claim ?? data.origin} in ${volume}`)
          sets.add(this.#sets.get(data.origin))
          instants.add(cut?.atMs)
        }
      }
      if (sets.size > 1 || (this.#groups && instants.size > 1)) wrong('has disks of several instants')
    }
  }

  #unfinished(): string[] {
    const { simulation, machines } = this.#world
    const { api } = simulation
    const problems = this.#clones().flatMap((clone) => this.#unfinishedClone(clone))
    for (const { metadata, status } of api.list(VirtualMachine)) {
      const { name } = metadata
      const holder = status?.restoreInProgress || status?.snapshotInProgress
      if (metadata.deletionTimestamp !== undefined) problems.push(`VM ${name} is still being deleted`)
      if (holder || metadata.finalizers?.includes(sourceFinalizer))
        problems.push(`VM ${name} is still locked by ${holder}`)
    }
    if ([...machines.guests.values()].some((guest) => !guest.ended && guest.frozen)) problems.push('a guest is frozen')
    return problems
  }

  #unfinishedClone(clone: VirtualMachineClone): string[] {
    const { name, deletionTimestamp, finalizers = [] } = clone.metadata
    const { phase, conditions = [], snapshotName, restoreName } = clone.status ?? {}
    const message = conditions.find(({ type }) => type === 'Ready')?.message
    const held = finalizers.length > 0 || Boolean(snapshotName) || Boolean(restoreName)
    if (deletionTimestamp !== undefined) return [`${name} is still being deleted`]
    if (phase === 'Failed') return held ? [`${name} has failed and holds what it made`] : []
    if (phase === 'Succeeded') {
      if (this.#copyOf(clone) === undefined) return [`${name} has succeeded and has no copy`]
      if (!held) return []
      const waits = this.layout.waitsForConsumer && (!this.#started || this.#lostItsSource())
      const may = (waits && message?.includes('is needed until')) || this.did.has('robbed')
      return may ? [] : [`${name} has succeeded and is not tidy: ${message}`]
    }
    const may =
      this.did.has('robbed') ||
      (this.did.has('source deleted') && message === `VirtualMachine ${lab.name} does not exist`) ||
      (this.did.has('snapshot deleted') && message === 'VirtualMachineSnapshot snap does not exist')
    return message !== undefined && may ? [] : [`${name} is ${phase ?? 'without a phase'}: ${message}`]
  }

  /** What nobody owns and nothing uses. */
  #left(): string[] {
    const { simulation, machines } = this.#world
    const { api } = simulation
    const vms = api.list(VirtualMachine)
    const open = this.#clones().filter(({ metadata }) => metadata.finalizers?.length)
    const owners = new Set([...open, ...vms, ...api.list(VirtualMachineSnapshotContent)].map(uidOf))
    const owned = ({ metadata }: KubeObject): boolean =>
      metadata.ownerReferences?.some(({ uid }) => owners.has(uid)) === true
    const snapshots = api.list(VirtualMachineSnapshot)
    const temporary = [...snapshots, ...api.list(VirtualMachineRestore)].filter(({ metadata }) =>
      metadata.name.startsWith('tmp-'),
    )
    const contents = api
      .list(VirtualMachineSnapshotContent)
      .filter(({ spec }) => !snapshots.some(({ metadata }) => metadata.name === spec.virtualMachineSnapshotName))
    // What the source did not own, or the copy had not taken yet when it was deleted, does not go with it.
    const stays = ({ metadata }: KubeObject): boolean =>
      this.did.has('target deleted') && metadata.ownerReferences === undefined
    const templates = new Set(
      vms.flatMap(({ spec }) => spec.dataVolumeTemplates ?? []).map(({ metadata }) => metadata.name),
    )
    const dataVolumes = api
      .list(DataVolume)
      .filter((dataVolume) => !templates.has(dataVolume.metadata.name) && !stays(dataVolume))
    const staying = new Set(api.list(DataVolume).filter(stays).map(uidOf))
    const used = new Set(vms.flatMap((vm) => machines.claimsOf(vm)))
    const claims = api
      .list(PersistentVolumeClaim)
      .filter(({ metadata }) => this.markOf(metadata) !== undefined && !used.has(metadata.name))
      .filter((claim) => !stays(claim) && !claim.metadata.ownerReferences?.some(({ uid }) => staying.has(uid)))
    const volumes = api.list(PersistentVolume).filter(({ status }) => status?.phase === 'Released')
    const left = [
      ...temporary.filter((object) => !owned(object)),
      ...contents,
      ...api.list(VolumeSnapshot).filter((object) => !owned(object)),
      ...(this.did.has('robbed') ? [] : claims),
      ...(this.did.has('robbed') ? [] : dataVolumes),
      ...volumes,
    ]
    return left.map(({ kind, metadata }) => `${kind} ${metadata.name} is left`)
  }
}
