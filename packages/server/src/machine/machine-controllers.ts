import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { Logger } from 'pino'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { describeError } from '../controller/describe-error.ts'
import { EventRecorder } from '../controller/events.ts'
import { decideAccel } from '../qemu/accel.ts'
import { FreezeLeases } from '../qemu/freeze-lease.ts'
import { MachineFolders } from './folders.ts'
import { type FreezeNews, Freezer } from './freezer.ts'
import type { Hypervisor } from './hypervisor/hypervisor.ts'
import { QemuHypervisor } from './hypervisor/qemu-hypervisor.ts'
import { publishNode } from './node-object.ts'
import type { StreamHandler, SubresourceHandler } from './subresources/answers.ts'
import { guestConsoles } from './subresources/consoles.ts'
import { guestReads } from './subresources/guest-reads.ts'
import { vmActions } from './subresources/vm-actions.ts'
import { vmiActions } from './subresources/vmi-actions.ts'
import { vmController } from './vm/controller.ts'
import { AgentWatch } from './vmi/agent-watch.ts'
import { vmiController } from './vmi/controller.ts'
import { GeneratedDisks } from './vmi/generated-disks.ts'
import { defaultGraceSeconds } from './vmi/observe.ts'
import { stopMachine } from './vmi/stop-machine.ts'
import { type NodePublisher, VolumePublisher } from './vmi/volumes.ts'

export interface MachineOptions {
  /** Machines' folders; its path must be short, for it holds sockets. */
  dataDir: string
  /** Connected CSI drivers by name. */
  csi: ReadonlyMap<string, NodePublisher>
  accel?: 'auto' | 'kvm' | 'tcg'
  nodeName?: string
  /** Stands in for QEMU. */
  hypervisor?: Hypervisor
}

export interface MachineControllers extends RunningController {
  /** Actions for the API server, by `group/resource/subresource`. */
  subresources: Map<string, SubresourceHandler>
  /** Consoles and displays for its WebSockets, by the same. */
  streams: Map<string, StreamHandler>
  /** Shuts all guests down, politely first. None is started again by these controllers. */
  stopAll(): Promise<void>
}

/** Runs VirtualMachines on this machine. Closing leaves the guests running; the next server finds them again. */
export function machineControllers(context: ControllerContext, options: MachineOptions): MachineControllers {
  const { client, informers, log, now } = context
  const events = new EventRecorder(client, 'virt-handler', log)
  const vmEvents = new EventRecorder(client, 'virtualmachine-controller', log)
  const folders = new MachineFolders(options.dataDir)
  let acceleration: Promise<'kvm' | 'tcg'> | undefined
  const accelerator = (): Promise<'kvm' | 'tcg'> => {
    acceleration ??= chooseAccelerator(options, log)
    return acceleration
  }
  const hypervisor = options.hypervisor ?? new QemuHypervisor({ folders, accelerator, log })
  const vmis = informers.of(VirtualMachineInstance)

  const agents = new AgentWatch({
    log,
    onChange: (id) => vmi.enqueueMachine(id),
    onTrouble: (id, text) => {
      const [object] = vmis.byIndex('uid', id)
      if (object) events.event(object, 'Warning', 'AgentNotUsable', `The guest agent does not answer properly: ${text}`)
    },
    isFrozen: (id) => freezer.isFrozen(id),
  })
  const freezer = new Freezer({ hypervisor, leases: new FreezeLeases(folders.root), log, now, onNews: tellFreeze })
  const volumes = new VolumePublisher(folders, options.csi, new GeneratedDisks(client))

  hypervisor.onNews(({ id, event, restarted }) => {
    const machine = hypervisor.get(id)
    if (machine) agents.follow(machine)
    if (machine?.state.kind === 'running') freezer.runs(id)
    if (restarted || machine?.state.kind === 'ended')
      freezer.forget(id).catch((error) => {
        log.warn(
          { machine: id, error: describeError(error) },
          'freeze lease not removed, the next server thaws once more',
        )
      })
    const [object] = vmis.byIndex('uid', id)
    if (event && object) events.event(object, event.type, event.reason, event.message)
    vmi.enqueueMachine(id)
  })

  const nodeName = options.nodeName ?? hostname()
  const adoption = Promise.withResolvers<void>()
  const adopted = adoption.promise
  const vmi = vmiController(context, { events, hypervisor, volumes, agents, freezer, nodeName, adopted })
  const vm = vmController(context, vmEvents)
  adopt().then(adoption.resolve, adoption.reject)
  const published = (options.hypervisor ? Promise.resolve<'kvm' | 'tcg'>('tcg') : accelerator())
    .then((accel) => publishNode(context, nodeName, accel === 'kvm'))
    .catch((error) => log.warn({ error: describeError(error) }, 'node object not written'))
  adopted.catch((error) => log.error({ error: describeError(error) }, 'machines of an earlier server not adopted'))

  async function adopt(): Promise<void> {
    await hypervisor.adopt()
    const machines = hypervisor.list()
    for (const machine of machines) agents.follow(machine)
    await freezer.recover(machines)
    for (const { namespace, name } of await folders.list()) vmi.enqueue(`${namespace}/${name}`)
    if (machines.length > 0) log.info({ machines: machines.length }, 'found machines of an earlier server')
  }

  function tellFreeze(news: FreezeNews): void {
    const { id } = news
    // A holder knows what it has frozen, and is quick about it; everybody else reads the status.
    if (news.what !== 'thawFailed')
      agents.noteFreeze(id, news.what, { brief: news.what === 'frozen' && news.holder !== undefined })
    // An end that waits for it.
    if (news.what === 'thawed') vmi.enqueueMachine(id)
    const [object] = vmis.byIndex('uid', id)
    log.info({ ...news, machine: id }, 'guest file systems')
    if (!object) return
    const count = (n: number): string => `${n} file system${n === 1 ? '' : 's'}`
    switch (news.what) {
      case 'frozen':
        events.event(object, 'Normal', 'Frozen', `Froze ${count(news.filesystems)} of the guest in ${news.tookMs} ms`)
        return
      case 'thawed': {
        const complaint = news.complaint === undefined ? '' : `; the agent complained: ${news.complaint}`
        const asked = news.why === 'asked for'
        const text = `Thawed ${count(news.filesystems)}; the guest was frozen for ${news.frozenMs} ms${asked ? '' : ` (${news.why})`}${complaint}`
        events.event(object, asked ? 'Normal' : 'Warning', 'Thawed', text)
        return
      }
      case 'thawFailed':
        events.event(object, 'Warning', 'ThawFailed', `The guest could not be thawed, trying again: ${news.message}`)
        return
      default:
        news satisfies never
    }
  }

  const consoles = guestConsoles({ context, hypervisor, adopted })
  const subresources = new Map([
    ...vmActions({ context, heldBy: (id) => freezer.heldBy(id) }),
    ...vmiActions({ context, hypervisor, freezer, events, adopted }),
    ...guestReads({ context, hypervisor, adopted }),
    ...consoles.subresources,
  ])

  return {
    subresources,
    streams: consoles.streams,
    async stopAll() {
      // First of all, so that nothing that ends is started again.
      await vm.close()
      await adopted
      await Promise.all(
        hypervisor.list().map((machine) => {
          const [object] = vmis.byIndex('uid', machine.id)
          const graceMs = (object?.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds) * 1_000
          return stopMachine(machine, { freezer, log, graceMs })
        }),
      )
    },
    async close() {
      consoles.close()
      await Promise.all([vm.close(), vmi.close(), published])
      agents.close()
      freezer.close()
      await Promise.all([events.flush(), vmEvents.flush()])
      await hypervisor.close()
    },
  }
}

/** Trying KVM may take seconds, so the verdict is kept until this computer or its kernel is restarted. */
async function chooseAccelerator({ dataDir, accel: force }: MachineOptions, log: Logger): Promise<'kvm' | 'tcg'> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const { accel, reason } = await decideAccel({ force, cacheFile: join(dataDir, 'acceleration.json') })
  log.info({ accel, reason }, 'acceleration decided')
  return accel
}
