import { isDeepStrictEqual } from 'node:util'
import type { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import {
  claimOf,
  effectiveRunStrategy,
  type VirtualMachine,
  type VirtualMachineInstance,
} from '@stillpoint/api/kubevirt/kinds'
import { controllerOf, uidOf } from '@stillpoint/api/meta/object-meta'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { hasFinalizer } from '../../controller/finalizers.ts'
import {
  createdUnderStrategyAnnotation,
  generationAnnotation,
  immediateDataVolumesAnnotation,
  orphanFinalizer,
  vmControllerFinalizer,
} from '../keys.ts'
import type { Instance, ObservedVm } from './plan.ts'
import type { Shown } from './status.ts'

export interface VmWorld {
  vm: VirtualMachine
  instance?: VirtualMachineInstance | undefined
  /** The revision the instance was built from. */
  revision?: ControllerRevision | undefined
  dataVolume(name: string): DataVolume | undefined
  claim(name: string): PersistentVolumeClaim | undefined
}

export const finalPhases = ['Succeeded', 'Failed']

const readyDataVolumePhases = ['Succeeded', 'WaitForFirstConsumer', 'PendingPopulation']

/** Turns what the API holds into what `planVm` decides on. */
export function observeVm({ vm, instance, dataVolume }: VmWorld, now: Date): ObservedVm {
  const { status, spec } = vm
  const failure = status?.startFailure
  return {
    now,
    vm: {
      deleting: vm.metadata.deletionTimestamp !== undefined,
      orphaning: hasFinalizer(vm, orphanFinalizer),
      held: hasFinalizer(vm, vmControllerFinalizer),
      strategy: effectiveRunStrategy(spec),
      lastStrategy: status?.runStrategy,
      restoring: status?.restoreInProgress || undefined,
      requests: status?.stateChangeRequests ?? [],
      startFailure: failure?.consecutiveFailCount
        ? {
            count: failure.consecutiveFailCount,
            instanceUid: failure.lastFailedVMIUID ?? '',
            retryAt: new Date(failure.retryAfterTimestamp ?? 0),
          }
        : undefined,
      delayDataVolumes: vm.metadata.annotations?.[immediateDataVolumesAnnotation] === 'false',
    },
    instance: instance && instanceOf(vm, instance),
    dataVolumes: (spec.dataVolumeTemplates ?? []).map(({ metadata: { name } }) => {
      const found = dataVolume(name)
      return { name, exists: found !== undefined, ready: readyDataVolumePhases.includes(found?.status?.phase ?? '') }
    }),
  }
}

function instanceOf(vm: VirtualMachine, instance: VirtualMachineInstance): Instance {
  const phase = instance.status?.phase ?? ''
  const entered = (wanted: string[]): Date | undefined => {
    const entry = instance.status?.phaseTransitionTimestamps?.find((one) => wanted.includes(one.phase))
    return entry && new Date(entry.phaseTransitionTimestamp)
  }
  const runningSince = entered(['Running'])
  const endedAt = entered(finalPhases)
  return {
    uid: uidOf(instance),
    owned: controllerOf(instance)?.uid === vm.metadata.uid,
    deleting: instance.metadata.deletionTimestamp !== undefined,
    final: finalPhases.includes(phase),
    failed: phase === 'Failed',
    held: hasFinalizer(instance, vmControllerFinalizer),
    ...(runningSince ? { runningSince } : {}),
    ...(endedAt ? { endedAt } : {}),
  }
}

/** What only the status shows. */
export function showVm(world: VmWorld, failure: Shown['failure']): Shown {
  const { vm, revision, dataVolume, claim } = world
  const instance = controllerOf(world.instance ?? vm)?.uid === vm.metadata.uid ? world.instance : undefined
  const volumes = vm.spec.template.spec.volumes ?? []
  const names = new Set([
    ...(vm.spec.dataVolumeTemplates ?? []).map(({ metadata }) => metadata.name),
    ...volumes.flatMap((volume) => volume.dataVolume?.name ?? []),
  ])
  const isBound = (name: string): boolean => claim(name)?.status?.phase === 'Bound'
  const generation = Number(instance?.metadata.annotations?.[generationAnnotation])
  const builtFrom = (revision?.data?.spec as VirtualMachine['spec'] | undefined)?.template
  return {
    generation: vm.metadata.generation ?? 1,
    conditions: vm.status?.conditions ?? [],
    instance: instance && {
      phase: instance.status?.phase,
      conditions: instance.status?.conditions ?? [],
      generation: Number.isSafeInteger(generation) ? generation : undefined,
      createdUnder: instance.metadata.annotations?.[createdUnderStrategyAnnotation],
      outdated: builtFrom !== undefined && !isDeepStrictEqual(builtFrom, vm.spec.template),
    },
    dataVolumes: [...names].flatMap((name) => {
      const found = dataVolume(name)
      if (!found) return []
      return { phase: found.status?.phase, conditions: found.status?.conditions ?? [], claimBound: isBound(name) }
    }),
    claimsBound: volumes.every((volume) => {
      const name = claimOf(volume)
      return name === undefined || isBound(name)
    }),
    failure,
  }
}
