import { isDeepStrictEqual } from 'node:util'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { claimOf, VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf } from '@stillpoint/api/meta/condition'
import { controllerOf, keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists, isConflict, isNotFound } from '@stillpoint/api/meta/status-error'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { ControllerContext, RunningController } from '../../controller/context.ts'
import { Controller } from '../../controller/controller.ts'
import { describeError } from '../../controller/describe-error.ts'
import type { EventRecorder } from '../../controller/events.ts'
import { finalizerPatch } from '../../controller/finalizers.ts'
import { refOf } from '../../kube/client.ts'
import { vmControllerFinalizer } from '../keys.ts'
import { dataVolumeFor, instanceFor, revisionFor } from './children.ts'
import { observeVm, showVm, type VmWorld } from './observe.ts'
import { nextStartFailure, planVm, type VmStep } from './plan.ts'
import { startFailureField, type VmStatusFields, vmStatus } from './status.ts'

/** Keeps each VirtualMachine's instance as its run strategy and the requests ask. */
export function vmController(context: ControllerContext, events: EventRecorder): RunningController {
  const { client, informers, log, now } = context
  const vms = informers.of(VirtualMachine)
  const vmis = informers.of(VirtualMachineInstance)
  const dataVolumes = informers.of(DataVolume)
  const claims = informers.of(PersistentVolumeClaim)
  const revisions = informers.of(ControllerRevision)
  const controller = new Controller({ name: 'virtualmachine', reconcile, workers: 8, log, queues: context.queues })

  vms.addIndex('disk', (vm) => diskNames(vm).map((name) => `${vm.metadata.namespace}/${name}`))
  revisions.addIndex('owner', (revision) => [controllerOf(revision)?.uid ?? ''])
  vms.onChange(({ object }) => controller.enqueue(keyOf(object)))
  vmis.onChange(({ object }) => controller.enqueue(keyOf(object)))
  const enqueueUsers = (disk: string): void => {
    for (const vm of vms.byIndex('disk', disk)) controller.enqueue(keyOf(vm))
  }
  dataVolumes.onChange(({ object }) => enqueueUsers(keyOf(object)))
  claims.onChange(({ object }) => enqueueUsers(keyOf(object)))

  async function reconcile(key: string): Promise<{ requeueAfterMs: number } | undefined> {
    const vm = vms.get(key)
    const instance = vmis.get(key)
    if (!vm) {
      await releaseOrphan(instance)
      return
    }
    const namespace = vm.metadata.namespace ?? 'default'
    const revision = instance?.status?.virtualMachineRevisionName
    const world: VmWorld = {
      vm,
      instance,
      revision: revision === undefined ? undefined : revisions.get(`${namespace}/${revision}`),
      dataVolume: (name) => dataVolumes.get(`${namespace}/${name}`),
      claim: (name) => claims.get(`${namespace}/${name}`),
    }
    const observed = observeVm(world, now())
    const step = planVm(observed)
    const failure = nextStartFailure(observed, Math.random())
    if (failure && failure.count !== (observed.vm.startFailure?.count ?? 0))
      events.event(
        vm,
        'Warning',
        'StartFailure',
        `The instance failed ${failure.count} time(s) in a row; the next start is not before ${failure.retryAt.toISOString()}`,
      )
    if (step.do === 'wait' && step.reason !== undefined && !alreadyTold(vm, step.why))
      events.event(vm, 'Normal', step.reason, `Not started yet: ${step.why}`)
    // Status first: what it keeps of an instance (a failure counted, a start queued) must be there before the
    // instance goes, and its precondition shows that the decision was made on the present VM.
    const acts = step.do !== 'nothing' && step.do !== 'wait'
    // What failed last time stays failed until it has been done.
    const standing = acts ? conditionOf(vm.status?.conditions, 'Failure') : undefined
    const shown = showVm(world, standing && { reason: standing.reason ?? '', message: standing.message ?? '' })
    const current = await writeStatus(vm, vmStatus(observed, shown, step, failure))
    if (step.do !== 'nothing' && step.do !== 'wait') log.info({ kind: 'VirtualMachine', key, step: step.do }, 'planned')
    try {
      return await perform(current, instance, step)
    } catch (error) {
      if (isConflict(error)) throw error
      // The copy at hand lags behind a deletion that is done.
      if (isNotFound(error) && (await client.find(VirtualMachine, refOf(vm))) === undefined) return
      const reason = failureReasons[step.do] ?? 'ReconcileFailed'
      events.event(current, 'Warning', reason, describeError(error))
      const failed = showVm(world, { reason, message: describeError(error) })
      await writeStatus(current, vmStatus(observed, failed, step, failure))
      throw error
    }
  }

  async function perform(
    vm: VirtualMachine,
    instance: VirtualMachineInstance | undefined,
    step: VmStep,
  ): Promise<{ requeueAfterMs: number } | undefined> {
    switch (step.do) {
      case 'hold':
        vms.note(await client.patch(VirtualMachine, refOf(vm), finalizerPatch(vm, vmControllerFinalizer, 'add')))
        return
      case 'release':
        vms.note(await client.patch(VirtualMachine, refOf(vm), finalizerPatch(vm, vmControllerFinalizer, 'remove')))
        return
      case 'createDataVolumes':
        for (const name of step.names) await createDataVolume(vm, name)
        return
      case 'create':
        return createInstance(vm, step.paused)
      case 'delete':
        await client.delete(VirtualMachineInstance, refOf(vm), { uid: step.uid })
        await noteDeletion(vm)
        events.event(
          vm,
          'Normal',
          'SuccessfulDelete',
          `Stopped the virtual machine by deleting the instance: ${step.why}`,
        )
        return
      case 'releaseInstance':
        await releaseInstance(instance)
        return
      case 'wait':
        log.debug({ kind: 'VirtualMachine', key: keyOf(vm), why: step.why }, 'waiting')
        return step.recheckMs === undefined ? undefined : { requeueAfterMs: step.recheckMs }
      case 'nothing':
        return
      default:
        step satisfies never
    }
    return
  }

  /** So that the next pass does not ask once more. */
  async function noteDeletion(vm: VirtualMachine): Promise<void> {
    const instance = await client.find(VirtualMachineInstance, refOf(vm))
    if (instance) vmis.note(instance)
  }

  async function createDataVolume(vm: VirtualMachine, name: string): Promise<void> {
    try {
      dataVolumes.note(await client.create(DataVolume, dataVolumeFor(vm, name)))
      events.event(vm, 'Normal', 'SuccessfulDataVolumeCreate', `Created DataVolume ${name}`)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  async function createInstance(vm: VirtualMachine, paused: boolean): Promise<{ requeueAfterMs: number } | undefined> {
    // Asked live: a restore lock or a stop that the cache has not seen yet must not be answered with a new guest.
    const live = await client.find(VirtualMachine, refOf(vm))
    if (live?.metadata.uid !== vm.metadata.uid || live?.metadata.resourceVersion !== vm.metadata.resourceVersion) {
      if (live) vms.note(live)
      return { requeueAfterMs: 20 }
    }
    try {
      revisions.note(await client.create(ControllerRevision, revisionFor(vm)))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
    let instance: VirtualMachineInstance
    try {
      instance = await client.create(VirtualMachineInstance, instanceFor(vm, paused))
    } catch (error) {
      if (isAlreadyExists(error)) return { requeueAfterMs: 100 }
      throw error
    }
    vmis.note(instance)
    events.event(
      vm,
      'Normal',
      'SuccessfulCreate',
      `Started the virtual machine by creating the new virtual machine instance ${vm.metadata.name}`,
    )
    events.event(instance, 'Normal', 'SuccessfulCreate', 'Created by its virtual machine')
    await pruneRevisions(vm, instance)
    return
  }

  async function pruneRevisions(vm: VirtualMachine, instance: VirtualMachineInstance): Promise<void> {
    for (const revision of revisions.byIndex('owner', uidOf(vm)))
      if (
        revision.metadata.name.startsWith('revision-start-vm-') &&
        revision.metadata.name !== instance.status?.virtualMachineRevisionName
      )
        await client.delete(ControllerRevision, refOf(revision), { uid: uidOf(revision) })
  }

  async function releaseInstance(instance: VirtualMachineInstance | undefined): Promise<void> {
    if (!instance) return
    const patch = finalizerPatch(instance, vmControllerFinalizer, 'remove')
    if (patch.length > 0) vmis.note(await client.patch(VirtualMachineInstance, refOf(instance), patch))
  }

  /** Nobody is left who wants to see the final status of this instance. */
  async function releaseOrphan(instance: VirtualMachineInstance | undefined): Promise<void> {
    if (instance?.metadata.deletionTimestamp === undefined) return
    await releaseInstance(instance)
  }

  async function writeStatus(vm: VirtualMachine, fields: VmStatusFields): Promise<VirtualMachine> {
    const { startFailure, ...plain } = fields
    const wanted: Record<string, unknown> = { ...plain, startFailure: startFailureField(startFailure) }
    const present: Record<string, unknown> = vm.status ?? {}
    const changes: Record<string, unknown> = {}
    for (const [name, value] of Object.entries(wanted)) {
      const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0)
      if (empty ? present[name] !== undefined && name in present : !isDeepStrictEqual(value, present[name]))
        changes[name] = empty ? null : value
    }
    if (Object.keys(changes).length === 0) return vm
    const updated = await client.patch(
      VirtualMachine,
      refOf(vm),
      { metadata: { resourceVersion: vm.metadata.resourceVersion, uid: vm.metadata.uid }, status: changes },
      { subresource: 'status' },
    )
    vms.note(updated)
    return updated
  }

  return controller
}

const failureReasons: Partial<Record<VmStep['do'], string>> = {
  create: 'FailedCreate',
  delete: 'FailedDelete',
  createDataVolumes: 'FailedDataVolumeCreate',
}

/** The Ready condition says what is waited for, and so also whether that has been told. */
function alreadyTold({ status }: VirtualMachine, why: string): boolean {
  return conditionOf(status?.conditions, 'Ready')?.message?.endsWith(why) ?? false
}

function diskNames(vm: VirtualMachine): string[] {
  const volumes = vm.spec.template.spec.volumes ?? []
  const templates = (vm.spec.dataVolumeTemplates ?? []).map(({ metadata }) => metadata.name)
  return [...new Set([...templates, ...volumes.flatMap((volume) => claimOf(volume) ?? [])])]
}
