import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { effectiveRunStrategy, type VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { ownedBy, uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { allowClaimAdoptionAnnotation } from '@stillpoint/api/snapshot/keys'
import { startRevisionName } from '@stillpoint/api/snapshot/names'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { withVmiDefaults } from '../defaults.ts'
import {
  createdByLabel,
  createdUnderStrategyAnnotation,
  generationAnnotation,
  vmControllerFinalizer,
  vmiFinalizer,
} from '../keys.ts'

/** Spec vm-runtime a.12. */
export function revisionName(vm: VirtualMachine): string {
  return startRevisionName(uidOf(vm), vm.metadata.generation ?? 1)
}

/** The VM's spec at the start of an instance, for online snapshots. */
export function revisionFor(vm: VirtualMachine): ControllerRevision {
  return objectOf(
    ControllerRevision,
    { name: revisionName(vm), ...inNamespaceOf(vm), ownerReferences: [ownedBy(vm)] },
    { data: { spec: vm.spec }, revision: vm.metadata.generation ?? 1 },
  )
}

/** The instance of a VM: same name, template's labels and annotations, held until its end has been seen. */
export function instanceFor(vm: VirtualMachine, paused: boolean): VirtualMachineInstance {
  const { template } = vm.spec
  const spec = withVmiDefaults(template.spec, vm.metadata.name)
  return objectOf(
    VirtualMachineInstance,
    {
      name: vm.metadata.name,
      ...inNamespaceOf(vm),
      ...(template.metadata?.labels ? { labels: template.metadata.labels } : {}),
      annotations: {
        ...template.metadata?.annotations,
        [generationAnnotation]: `${vm.metadata.generation ?? 1}`,
        [createdUnderStrategyAnnotation]: effectiveRunStrategy(vm.spec),
      },
      finalizers: [vmControllerFinalizer, vmiFinalizer],
      ownerReferences: [ownedBy(vm)],
    },
    {
      spec: paused ? { ...spec, startStrategy: 'Paused' } : spec,
      status: { virtualMachineRevisionName: revisionName(vm) },
    },
  )
}

/** The data volume of a template. May adopt a claim of its name, as a restored VM needs. */
export function dataVolumeFor(vm: VirtualMachine, name: string): DataVolume {
  const template = vm.spec.dataVolumeTemplates?.find(({ metadata }) => metadata.name === name)
  if (!template) throw new Error(`VM ${vm.metadata.name} has no data volume template ${name}`)
  return objectOf(
    DataVolume,
    {
      name,
      ...inNamespaceOf(vm),
      labels: { ...template.metadata.labels, [createdByLabel]: uidOf(vm) },
      annotations: { ...template.metadata.annotations, [allowClaimAdoptionAnnotation]: 'true' },
      ownerReferences: [ownedBy(vm)],
    },
    { spec: template.spec },
  )
}

function inNamespaceOf(vm: VirtualMachine): { namespace: string } {
  return { namespace: vm.metadata.namespace ?? 'default' }
}
