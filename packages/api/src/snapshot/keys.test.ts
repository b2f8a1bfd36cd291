import { expect, test } from 'vitest'
import * as keys from './keys.ts'

// Character for character what KubeVirt, CDI and the CSI snapshotter write.
test.each([
  ['finalizer of a snapshot', keys.snapshotFinalizer, 'snapshot.kubevirt.io/vmsnapshot-protection'],
  ['finalizer of a content', keys.contentFinalizer, 'snapshot.kubevirt.io/vmsnapshotcontent-protection'],
  ['finalizer of a source VM', keys.sourceFinalizer, 'snapshot.kubevirt.io/snapshot-source-protection'],
  ['finalizer of a restore', keys.restoreFinalizer, 'snapshot.kubevirt.io/vmrestore-protection'],
  ['label of a VolumeSnapshot, name', keys.sourceVmNameLabel, 'snapshot.kubevirt.io/source-vm-name'],
  ['label of a VolumeSnapshot, namespace', keys.sourceVmNamespaceLabel, 'snapshot.kubevirt.io/source-vm-namespace'],
  ['label of a restored claim, name', keys.restoredFromVmNameLabel, 'restore.kubevirt.io/source-vm-name'],
  [
    'label of a restored claim, namespace',
    keys.restoredFromVmNamespaceLabel,
    'restore.kubevirt.io/source-vm-namespace',
  ],
  ['annotation that leads to the restore', keys.restoreNameAnnotation, 'restore.kubevirt.io/name'],
  ['annotation of what a restore made', keys.lastRestoreUidAnnotation, 'restore.kubevirt.io/lastRestoreUID'],
  ['annotation of a claim to be handed over', keys.ownedByVmAnnotation, 'restore.kubevirt.io/owned-by-vm'],
  ['label of a previous state claim', keys.cleanupStateLabel, 'restore.kubevirt.io/cleanup-backend-pvc'],
  ['label of the current state claim', keys.persistentStateLabel, 'persistent-state-for'],
  ['annotation of a claim for a DataVolume', keys.populatedForAnnotation, 'cdi.kubevirt.io/storage.populatedFor'],
  ['annotation of a filled DataVolume', keys.prePopulatedAnnotation, 'cdi.kubevirt.io/storage.prePopulated'],
  ['annotation that is kept', keys.contentTypeAnnotation, 'cdi.kubevirt.io/storage.contentType'],
  ['annotation of a restored DataVolume', keys.allowClaimAdoptionAnnotation, 'cdi.kubevirt.io/allowClaimAdoption'],
  ['annotation of a default', keys.defaultSnapshotClassAnnotation, 'snapshot.storage.kubernetes.io/is-default-class'],
])('a.7 %s', (_, key, expected) => expect(key).toBe(expected))
