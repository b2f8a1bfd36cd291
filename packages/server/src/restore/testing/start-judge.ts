import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import {
  notStartedAnnotation,
  runStrategyAnnotation,
  startedByAnnotation,
  startTargetAnnotation,
} from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import type { World } from '../../controller/testing/simulated-seeds.ts'
import { isMadeBy } from '../restored-volumes.ts'
import { isStartOwed, strategyOf } from '../start-plan.ts'

type Ref = { namespace?: string | undefined; name: string }

/** Watches that targets are started when that was asked for, once, and never while somebody works on their disks. */
export class StartJudge {
  readonly #world: World
  /** Instances there had been of the VM when a restore, by its UID, started it. */
  readonly #startedAt = new Map<string, number>()
  /** Restores as they were when they went. */
  readonly #deleted: VirtualMachineRestore[] = []
  #instances = 0
  /** Somebody else has started, stopped or changed a VM. */
  meddled = false
  /** The run strategy the VM has when everything is as it was. */
  strategy = ''
  /** Starts by restores so far. */
  starts = 0
  /** Called at each of them. */
  onStart: () => void = () => {}

  constructor(world: World) {
    this.#world = world
    world.machines.onStart = (vm) => this.#onRequest(vm)
    world.simulation.api.onCommit(({ object, previous, type }, definition) => {
      if (definition === VirtualMachineInstance && type === 'ADDED') this.#instances += 1
      if (definition === VirtualMachineRestore && type === 'DELETED')
        this.#deleted.push(object as VirtualMachineRestore)
      if (definition === VirtualMachine && type === 'MODIFIED')
        this.#onVm(object as VirtualMachine, previous as VirtualMachine)
    })
  }

  #onVm(vm: VirtualMachine, previous: VirtualMachine): void {
    const by = vm.metadata.annotations?.[startedByAnnotation]
    if (by === undefined || by === previous.metadata.annotations?.[startedByAnnotation]) return
    const restore = this.#world.simulation.api.list(VirtualMachineRestore).find(({ metadata }) => metadata.uid === by)
    if (restore === undefined) this.#world.simulation.violated(`a restore that is not there starts the VM: ${by}`)
    else this.#onStart(vm, [restore])
  }

  #onRequest(ref: Ref): void {
    const { api } = this.#world.simulation
    const vm = api.find(VirtualMachine, ref)
    if (vm === undefined) return
    const owing = api.list(VirtualMachineRestore).filter(({ spec }) => spec.target.name === ref.name)
    this.#onStart(vm, owing.filter(isStartOwed))
  }

  #onStart(vm: VirtualMachine, restores: readonly VirtualMachineRestore[]): void {
    const { simulation } = this.#world
    this.starts += 1
    this.onStart()
    const { restoreInProgress } = vm.status ?? {}
    if (restoreInProgress) simulation.violated(`the VM is started while ${restoreInProgress} works on its disks`)
    const entitled = restores.filter((restore) => isEntitled(restore))
    if (entitled.length === 0) simulation.violated('the VM is started, and nobody has asked for it')
    const [restore] = entitled
    if (restore === undefined || entitled.length > 1) return
    // A guest started by request on the definition it had before leaves no trace once it has been stopped again.
    if (!restore.status?.complete && vm.metadata.annotations?.[startedByAnnotation] !== restore.metadata.uid) return
    const before = this.#startedAt.get(uidOf(restore))
    if (before !== undefined && before < this.#instances)
      simulation.violated(`${restore.metadata.name} starts the VM another time`)
    this.#startedAt.set(uidOf(restore), this.#instances)
  }

  /** What is still owed. */
  unfinished(): string[] {
    const { api } = this.#world.simulation
    return api.list(VirtualMachineRestore).flatMap((restore) => {
      const { namespace, name } = { ...restore.metadata, name: restore.spec.target.name }
      const isLive = api.find(VirtualMachine, { namespace, name })?.metadata.deletionTimestamp === undefined
      const isThere = api.find(VirtualMachine, { namespace, name }) !== undefined
      return isThere && isLive && isStartOwed(restore) && isEntitled(restore)
        ? [`${restore.metadata.name} has yet to start its target`]
        : []
    })
  }

  /** Before anybody else starts anything: what was to be started runs as it did. */
  expectStarted(): void {
    const { api } = this.#world.simulation
    if (this.meddled) return
    for (const restore of [...api.list(VirtualMachineRestore), ...this.#deleted]) this.#expectStarted(restore)
  }

  #expectStarted(restore: VirtualMachineRestore): void {
    const { simulation } = this.#world
    const { name, namespace, annotations = {} } = restore.metadata
    const ref = { namespace, name: restore.spec.target.name }
    const vm = simulation.api.find(VirtualMachine, ref)
    if (vm === undefined || !isEntitled(restore)) return
    // Given up after the switch, it is left to the user.
    if (restore.status?.complete !== true && isMadeBy(vm, restore)) return
    const why = annotations[notStartedAnnotation]
    if (why !== undefined) simulation.violated(`${name} has not started its target, undisturbed: ${why}`)
    if (simulation.api.find(VirtualMachineInstance, ref) === undefined)
      simulation.violated(`${name} was to start its target, and it does not run`)
    if (strategyOf(vm.spec) !== this.strategy)
      simulation.violated(`${name} has left its target with run strategy ${strategyOf(vm.spec)}`)
  }
}

/** Complete, or has stopped what it did not restore. */
function isEntitled({ metadata, status }: VirtualMachineRestore): boolean {
  const { annotations = {}, deletionTimestamp } = metadata
  if (annotations[startTargetAnnotation] !== 'true') return false
  if (status?.complete === true) return true
  const failed = status?.conditions?.some(({ type, status: value }) => type === 'Failure' && value === 'True')
  return annotations[runStrategyAnnotation] !== undefined && (failed === true || deletionTimestamp !== undefined)
}
