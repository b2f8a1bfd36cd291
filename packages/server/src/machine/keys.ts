// Finalizers, labels and annotations of kubevirt.io: spec vm-runtime (a), (b).

/** On the VMI (and on the VM): its controller wants to see the final status before the object goes. */
export const vmControllerFinalizer = 'kubevirt.io/virtualMachineControllerFinalize'
/** On the VMI: goes when its process is gone and its volumes are released. */
export const vmiFinalizer = 'kubevirt.io/foregroundDeleteVirtualMachine'
/** Set by the API server when dependents are to outlive the deletion of their owner. */
export const orphanFinalizer = 'orphan'

export const createdByLabel = 'kubevirt.io/created-by'
export const nodeNameLabel = 'kubevirt.io/nodeName'
export const generationAnnotation = 'kubevirt.io/vm-generation'
export const immediateDataVolumesAnnotation = 'kubevirt.io/immediate-data-volume-creation'
export const pciTopologyAnnotation = 'kubevirt.io/pci-topology-version'
/** Of Kubernetes: which machine a claim that waits for its first consumer is to be provisioned for. */
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
/** Ours, on a VMI: the run strategy it was created under. */
export const createdUnderStrategyAnnotation = 'machine.stillpoint.dev/run-strategy'
