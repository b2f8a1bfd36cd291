import { isDeepStrictEqual } from 'node:util'
import { claimOf, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf } from '@stillpoint/api/meta/condition'
import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { rfc3339 } from '../../controller/conditions.ts'
import type { ControllerContext, RunningController } from '../../controller/context.ts'
import { Controller } from '../../controller/controller.ts'
import { describeError } from '../../controller/describe-error.ts'
import type { EventRecorder } from '../../controller/events.ts'
import { finalizerPatch } from '../../controller/finalizers.ts'
import { refOf } from '../../kube/client.ts'
import type { Freezer } from '../freezer.ts'
import { type Hypervisor, HypervisorError, type Machine } from '../hypervisor/hypervisor.ts'
import { nodeNameLabel, selectedNodeAnnotation, vmiFinalizer } from '../keys.ts'
import type { AgentWatch } from './agent-watch.ts'
import { claimFacts, type StorageWorld, unboundClaims, volumeReadiness } from './claims.ts'
import { machineSpec } from './machine-spec.ts'
import { isLive, observeVmi, phaseOf } from './observe.ts'
import { type ObservedVmi, planVmi, type VmiStep } from './plan.ts'
import { guestStatus } from './status.ts'
import { askGuestToEnd } from './stop-machine.ts'
import type { VolumePublisher } from './volumes.ts'

export interface VmiControllerOptions {
  events: EventRecorder
  hypervisor: Hypervisor
  volumes: VolumePublisher
  agents: AgentWatch
  freezer: Freezer
  nodeName: string
  /** Resolves when machines that outlived the last server are known. Nothing is decided before. */
  adopted: Promise<void>
}

export interface VmiController extends RunningController {
  enqueueMachine(id: string): void
  enqueue(key: string): void
}

/** Turns VirtualMachineInstances into running guests, and what guests do into their status. */
export function vmiController(context: ControllerContext, options: VmiControllerOptions): VmiController {
  const { client, informers, log, now } = context
  const { events, hypervisor, volumes, agents, freezer, nodeName } = options
  const vmis = informers.of(VirtualMachineInstance)
  const claims = informers.of(PersistentVolumeClaim)
  const dataVolumes = informers.of(DataVolume)
  const persistentVolumes = informers.of(PersistentVolume)
  const controller = new Controller({
    name: 'virtualmachineinstance',
    reconcile,
    workers: 8,
    log,
    queues: context.queues,
  })
  /** When each guest was last asked to end: only to not ask too often, so a restart may forget it. */
  const shutdownAsked = new Map<string, Date>()
  /** Launches that failed, to tell them in the status of the next pass. */
  const troubles = new Map<string, { reason: string; message: string }>()

  vmis.addIndex('uid', (vmi) => [uidOf(vmi)])
  vmis.addIndex('disk', (vmi) =>
    (vmi.spec.volumes ?? []).flatMap((volume) => {
      const name = claimOf(volume)
      return name === undefined ? [] : [`${vmi.metadata.namespace}/${name}`]
    }),
  )
  vmis.onChange(({ object }) => controller.enqueue(keyOf(object)))
  const enqueueUsers = (disk: string): void => {
    for (const vmi of vmis.byIndex('disk', disk)) if (isLive(vmi)) controller.enqueue(keyOf(vmi))
  }
  claims.onChange(({ object }) => enqueueUsers(keyOf(object)))
  dataVolumes.onChange(({ object }) => enqueueUsers(keyOf(object)))
  persistentVolumes.onChange(({ object }) => {
    const claim = object.spec?.claimRef
    if (claim?.name !== undefined) enqueueUsers(`${claim.namespace}/${claim.name}`)
  })

  function storageOf(namespace: string): StorageWorld {
    return {
      claim: (name) => claims.get(`${namespace}/${name}`),
      dataVolume: (name) => dataVolumes.get(`${namespace}/${name}`),
      persistentVolume: (name) => persistentVolumes.get(name),
      hasDriver: (driver) => volumes.hasDriver(driver),
    }
  }

  async function reconcile(key: string): Promise<{ requeueAfterMs: number } | undefined> {
    await options.adopted
    const vmi = vmis.get(key)
    await stopStrays(key, vmi?.metadata.uid)
    if (!vmi) return
    const id = uidOf(vmi)
    const machine = hypervisor.get(id)
    if (machine) agents.follow(machine)
    const observed = observeVmi(vmi, {
      now: now(),
      machine: machine?.state,
      hasFolder: await volumes.hasFolder(id),
      volumes: isLive(vmi) ? volumeReadiness(vmi, storageOf(vmi.metadata.namespace ?? 'default')) : [],
      shutdownAskedAt: shutdownAsked.get(id),
      frozenForMs: freezer.heldBy(id)?.leftMs,
    })
    const step = planVmi(observed)
    if (step.do !== 'wait') log.info({ kind: 'VirtualMachineInstance', key, step: step.do }, 'planned')
    try {
      return await perform(vmi, observed, step)
    } catch (error) {
      if (isConflict(error)) throw error
      // The copy at hand lags behind a deletion that is done.
      if (isNotFound(error) && (await client.find(VirtualMachineInstance, refOf(vmi))) === undefined) return
      await tellTrouble(vmi, observed, error)
      throw error
    }
  }

  async function perform(
    vmi: VirtualMachineInstance,
    observed: ObservedVmi,
    step: VmiStep,
  ): Promise<{ requeueAfterMs: number } | undefined> {
    const id = uidOf(vmi)
    switch (step.do) {
      case 'hold':
        vmis.note(await client.patch(VirtualMachineInstance, refOf(vmi), finalizerPatch(vmi, vmiFinalizer, 'add')))
        return
      case 'enter':
        await writeStatus(vmi, observed, { phase: step.phase })
        return
      case 'waitForVolumes': {
        await selectNode(vmi)
        const { reason, message } = step
        const before = conditionOf(vmi.status?.conditions, 'Synchronized')
        await writeStatus(vmi, observed, { trouble: { reason, message } })
        if (before?.reason !== reason || before.message !== message)
          events.event(vmi, reason === 'FailedPvcNotFound' ? 'Warning' : 'Normal', reason, message)
        return { requeueAfterMs: step.recheckMs }
      }
      case 'launch':
        await launch(vmi)
        troubles.delete(id)
        await writeStatus(vmi, observed, { phase: 'Scheduled' })
        events.event(vmi, 'Normal', 'Created', 'VirtualMachineInstance defined.')
        return
      case 'run': {
        const machine = mustHave(id)
        if (!step.paused && machine.state.kind === 'prelaunch') await machine.run()
        await writeStatus(vmi, observed, { phase: 'Running' })
        if (phaseOf(vmi) !== 'Running') events.event(vmi, 'Normal', 'Started', 'VirtualMachineInstance started.')
        return
      }
      case 'shutdown':
        await askToEnd(vmi, mustHave(id))
        await writeStatus(vmi, observed, {})
        return { requeueAfterMs: 1_000 }
      case 'end':
        await writeStatus(vmi, observed, {})
        if (!shutdownAsked.has(id)) events.event(vmi, 'Normal', 'ShuttingDown', 'Signaled Graceful Shutdown')
        await mustHave(id).end(step.cause)
        return
      case 'finish': {
        await hypervisor.get(id)?.end('Quit')
        await freezer.forget(id)
        agents.drop(id)
        const { phase, reason, message } = step
        await writeStatus(vmi, observed, { phase, reason: phase === 'Failed' ? `${reason}: ${message}` : undefined })
        if (reason === 'GuestPanicked') events.event(vmi, 'Warning', 'GuestPanicked', message)
        events.event(
          vmi,
          phase === 'Failed' ? 'Warning' : 'Normal',
          'Stopped',
          `The VirtualMachineInstance was shut down (${reason}): ${message}`,
        )
        return
      }
      case 'clean':
        await volumes.release(id)
        await hypervisor.forget(id)
        await volumes.removeFolder(id)
        shutdownAsked.delete(id)
        troubles.delete(id)
        return { requeueAfterMs: 1 }
      case 'release':
        vmis.note(await client.patch(VirtualMachineInstance, refOf(vmi), finalizerPatch(vmi, vmiFinalizer, 'remove')))
        events.event(vmi, 'Normal', 'Deleted', 'Signaled Deletion')
        return
      case 'wait':
        await writeStatus(vmi, observed, {})
        return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
      default:
        step satisfies never
    }
    return
  }

  function mustHave(id: string): Machine {
    const machine = hypervisor.get(id)
    if (!machine) throw new Error(`the hypervisor process of ${id} is gone`)
    return machine
  }

  async function launch(vmi: VirtualMachineInstance): Promise<void> {
    const namespace = vmi.metadata.namespace ?? 'default'
    const prepared = await volumes.prepare(vmi, storageOf(namespace))
    const spec = machineSpec(vmi, { ...prepared, takenAddresses: takenBy(vmi) })
    agents.follow(await hypervisor.launch(spec))
  }

  /** Addresses shown by other live instances. */
  function takenBy(vmi: VirtualMachineInstance): Set<string> {
    return new Set(
      vmis.list().flatMap((other) => {
        const address = other.status?.interfaces?.[0]?.ipAddress
        return other.metadata.uid !== vmi.metadata.uid && isLive(other) && typeof address === 'string' ? [address] : []
      }),
    )
  }

  async function askToEnd(vmi: VirtualMachineInstance, machine: Machine): Promise<void> {
    const first = !shutdownAsked.has(machine.id)
    shutdownAsked.set(machine.id, now())
    if (first) events.event(vmi, 'Normal', 'ShuttingDown', 'Signaled Graceful Shutdown')
    await askGuestToEnd(machine, freezer, log)
  }

  /** The claim's volume may be waiting for somebody who needs it: that is this machine. */
  async function selectNode(vmi: VirtualMachineInstance): Promise<void> {
    for (const claim of unboundClaims(vmi, storageOf(vmi.metadata.namespace ?? 'default'))) {
      if (claim.metadata.annotations?.[selectedNodeAnnotation] === nodeName) continue
      const annotations = { [selectedNodeAnnotation]: nodeName }
      const metadata = { uid: claim.metadata.uid, annotations }
      claims.note(await client.patch(PersistentVolumeClaim, refOf(claim), { metadata }))
    }
  }

  /**
   * Ends machines of this name whose instance is gone, as after a forced deletion. Asked live, because a guest must
   * not be stopped for a cache that has not been filled yet.
   */
  async function stopStrays(key: string, uid: string | undefined): Promise<void> {
    for (const owner of await volumes.foldersOf(key)) {
      if (owner.uid === uid) continue
      const live = await client.find(VirtualMachineInstance, owner)
      if (live?.metadata.uid === owner.uid) continue
      log.warn({ key, uid: owner.uid }, 'stopping a machine whose instance is gone')
      await hypervisor.get(owner.uid)?.end('Quit')
      await freezer.forget(owner.uid)
      agents.drop(owner.uid)
      await volumes.release(owner.uid)
      await hypervisor.forget(owner.uid)
      await volumes.removeFolder(owner.uid)
    }
  }

  async function tellTrouble(vmi: VirtualMachineInstance, observed: ObservedVmi, error: unknown): Promise<void> {
    const id = uidOf(vmi)
    const reason = error instanceof HypervisorError ? error.reason : 'Synchronizing with the Domain failed.'
    const trouble = { reason, message: describeError(error) }
    const known = troubles.get(id)
    troubles.set(id, trouble)
    if (known?.message === trouble.message) return
    events.event(vmi, 'Warning', 'SyncFailed', trouble.message)
    await writeStatus(vmi, observed, {})
  }

  interface StatusChange {
    phase?: ObservedVmi['phase']
    reason?: string | undefined
    trouble?: { reason: string; message: string }
  }

  async function writeStatus(vmi: VirtualMachineInstance, observed: ObservedVmi, change: StatusChange): Promise<void> {
    const id = uidOf(vmi)
    const phase = change.phase ?? observed.phase
    const before = vmi.status ?? {}
    if (isFinal(observed.phase)) return
    const machine = hypervisor.get(id)
    const fields = guestStatus(vmi, {
      now: now(),
      phase,
      deleting: observed.deletedAt !== undefined,
      nodeName,
      machine,
      agent: agents.facts(id),
      volumes: observed.volumes,
      claims: claimFacts(vmi, storageOf(vmi.metadata.namespace ?? 'default')),
      takenAddresses: takenBy(vmi),
      trouble: change.trouble ?? (phase === 'Scheduling' || phase === 'Pending' ? troubles.get(id) : undefined),
    })
    const wanted: Record<string, unknown> = { ...fields, phase }
    if (change.reason !== undefined) wanted.reason = change.reason
    if (phase !== before.phase)
      wanted.phaseTransitionTimestamps = [
        ...(before.phaseTransitionTimestamps ?? []),
        { phase, phaseTransitionTimestamp: rfc3339(now()) },
      ]
    const changes: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(wanted))
      if (!isDeepStrictEqual(value, before[name])) changes[name] = value ?? null
    const label = vmi.metadata.labels?.[nodeNameLabel] === nodeName ? {} : { labels: { [nodeNameLabel]: nodeName } }
    if (Object.keys(changes).length === 0 && !('labels' in label)) return
    const metadata = { resourceVersion: vmi.metadata.resourceVersion, uid: vmi.metadata.uid, ...label }
    vmis.note(await client.patch(VirtualMachineInstance, refOf(vmi), { metadata, status: changes }))
  }

  return {
    enqueue: (key) => controller.enqueue(key),
    enqueueMachine(id) {
      for (const vmi of vmis.byIndex('uid', id)) controller.enqueue(keyOf(vmi))
    },
    close: () => controller.close(),
  }
}

function isFinal(phase: string): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}
