import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import type { ControllerContext } from '../../controller/context.ts'
import type { Informer } from '../../kube/informer.ts'
import type { Hypervisor, Machine } from '../hypervisor/hypervisor.ts'
import { notFound } from './answers.ts'

export interface InstancesOptions {
  context: ControllerContext
  hypervisor: Hypervisor
  /** Until then machines of an earlier server are not known. */
  adopted: Promise<void>
}

export interface Found {
  vmi: VirtualMachineInstance
  /** Undefined while the guest does not run. */
  machine: Machine | undefined
}

/** The instances that subresources are about. */
export class Instances {
  readonly #options: InstancesOptions
  readonly #vmis: Informer<typeof VirtualMachineInstance>

  constructor(options: InstancesOptions) {
    this.#options = options
    this.#vmis = options.context.informers.of(VirtualMachineInstance)
  }

  /** From the copy at hand, for a freeze must not wait for a read. 404 where there is none. */
  async find({ namespace, name }: { namespace: string; name: string }): Promise<Found> {
    const { context, hypervisor, adopted } = this.#options
    await adopted
    const ref = { namespace, name }
    const vmi = this.#vmis.get(`${namespace}/${name}`) ?? (await context.client.find(VirtualMachineInstance, ref))
    if (!vmi) throw notFound('virtualmachineinstances', name)
    const machine = hypervisor.get(uidOf(vmi))
    return { vmi, machine: machine && isUp(machine, vmi) ? machine : undefined }
  }
}

function isUp({ state }: Machine, { status }: VirtualMachineInstance): boolean {
  // Started paused, a guest is Running before its first instruction.
  if (state.kind === 'prelaunch') return status?.phase === 'Running'
  return state.kind !== 'ended'
}
