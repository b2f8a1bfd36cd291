// Names that the storage side of Kubernetes, the CSI snapshotter and CDI share with their clients.

/** The name of the driver this product brings. */
export const layersDriver = 'layers.stillpoint.dev'
/** The StorageClass and the VolumeSnapshotClass made for it. */
export const layeredClassName = 'stillpoint-layered'

export const claimFinalizer = 'kubernetes.io/pvc-protection'
export const volumeFinalizer = 'kubernetes.io/pv-protection'
export const snapshotFinalizer = 'snapshot.storage.kubernetes.io/volumesnapshot-bound-protection'
export const contentFinalizer = 'snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection'

export const defaultClassAnnotation = 'storageclass.kubernetes.io/is-default-class'
/** Wins over the other one where a DataVolume asks. */
export const defaultVirtClassAnnotation = 'storageclass.kubevirt.io/is-default-virt-class'
export const bindCompletedAnnotation = 'pv.kubernetes.io/bind-completed'
export const boundByControllerAnnotation = 'pv.kubernetes.io/bound-by-controller'
export const provisionedByAnnotation = 'pv.kubernetes.io/provisioned-by'
export const storageProvisionerAnnotation = 'volume.kubernetes.io/storage-provisioner'
export const selectedNodeAnnotation = 'volume.kubernetes.io/selected-node'
export const bindImmediatelyAnnotation = 'cdi.kubevirt.io/storage.bind.immediate.requested'

/** Ours, on a claim: the exact CreateVolume call made for it, as JSON (kind `ProvisioningRecord`). */
export const provisioningAnnotation = 'volume.stillpoint.dev/provisioning'
/** Ours, on a VolumeSnapshot: it is cut without the rest of its set; the value says why. */
export const cutAloneAnnotation = 'volume.stillpoint.dev/cut-alone'

// CDI, on claims. What is to be written into a new volume, and how far that is.
export const containerizedDataImporterLabel = 'app'
export const createdForDataVolumeAnnotation = 'cdi.kubevirt.io/createdForDataVolume'
export const importSourceAnnotation = 'cdi.kubevirt.io/storage.import.source'
export const importEndpointAnnotation = 'cdi.kubevirt.io/storage.import.endpoint'
export const importChecksumAnnotation = 'cdi.kubevirt.io/storage.import.checksum'
export const importSecretAnnotation = 'cdi.kubevirt.io/storage.import.secretName'
export const importCertsAnnotation = 'cdi.kubevirt.io/storage.import.certConfigMap'
export const importInsecureAnnotation = 'cdi.kubevirt.io/storage.import.insecureSkipVerify'
/** Followed by a number, one per header. */
export const importHeaderAnnotationPrefix = 'cdi.kubevirt.io/storage.import.extraHeaders.'
export const uploadTargetAnnotation = 'cdi.kubevirt.io/storage.upload.target'
export const podPhaseAnnotation = 'cdi.kubevirt.io/storage.pod.phase'
export const podReadyAnnotation = 'cdi.kubevirt.io/storage.pod.ready'
export const podRestartsAnnotation = 'cdi.kubevirt.io/storage.pod.restarts'
export const progressAnnotation = 'cdi.kubevirt.io/storage.populator.progress'
export const preallocationAnnotation = 'cdi.kubevirt.io/storage.preallocation.requested'
export const runningConditionAnnotation = 'cdi.kubevirt.io/storage.condition.running'
export const runningMessageAnnotation = 'cdi.kubevirt.io/storage.condition.running.message'
export const runningReasonAnnotation = 'cdi.kubevirt.io/storage.condition.running.reason'

export const volumeName = (claimUid: string): string => `pvc-${claimUid}`
export const snapshotName = (volumeSnapshotUid: string): string => `snapshot-${volumeSnapshotUid}`
export const groupSnapshotName = (setId: string): string => `groupsnapshot-${setId}`
export const snapshotContentName = (volumeSnapshotUid: string): string => `snapcontent-${volumeSnapshotUid}`
