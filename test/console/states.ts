import { Event } from '../../packages/api/src/core/event.ts'
import { Namespace } from '../../packages/api/src/core/namespace.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { beforeRestoreAnnotation, expiresAtAnnotation, originLabel } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import type { KubeClient } from '../../packages/server/src/kube/client.ts'
import { good, namespace, seedClaim, seedInstance, seedRestore, seedSnapshot, seedVm } from './seeds.ts'

/** What the pages are looked at with: one VM with a snapshot in each state, one without any, one at work. */
export async function seedAll(client: KubeClient): Promise<void> {
  await client.create(Namespace, objectOf(Namespace, { name: 'team-a' }, {}))
  const web = await seedVm(client, {
    name: 'web',
    status: 'Running',
    volumes: [{ name: 'scratch', emptyDisk: { capacity: '1Gi' } }],
    unsupported: [{ name: 'scratch', reason: 'Snapshot is not supported for this volumeSource type [scratch]' }],
  })
  await seedInstance(client, web)
  for (const claim of ['web-root', 'fresh-root', 'db-root']) await seedClaim(client, claim)
  await seedVm(client, { name: 'fresh' })
  await seedSnapshot(client, web, {
    ...good,
    name: 'before-upgrade',
    minutesAgo: 190,
    annotations: { description: 'Before the upgrade to 2.4' },
  })
  await seedSnapshot(client, web, { ...good, name: 'nightly', minutesAgo: 600, labels: { [originLabel]: 'schedule' } })
  await seedSnapshot(client, web, { name: 'offline', phase: 'Succeeded', achieved: 'Offline', minutesAgo: 3_000 })
  await seedSnapshot(client, web, {
    name: 'no-agent',
    phase: 'Succeeded',
    achieved: 'Crash',
    indications: ['NoGuestAgent', 'Online'],
    minutesAgo: 500,
  })
  await seedSnapshot(client, web, {
    name: 'timed-out',
    phase: 'Succeeded',
    achieved: 'Crash',
    frozenMs: 9_000,
    indications: ['GuestAgent', 'Online', 'QuiesceTimeout'],
    minutesAgo: 400,
  })
  await seedSnapshot(client, web, {
    ...good,
    name: 'partial',
    indications: [...good.indications, 'PartialSnapshot'],
    excluded: ['scratch'],
    minutesAgo: 300,
  })
  await seedSnapshot(client, web, {
    name: 'failed',
    phase: 'Failed',
    error: 'snapshot deadline exceeded: waited for VolumeSnapshot of root',
    minutesAgo: 100,
  })
  await seedSnapshot(client, web, { name: 'working', phase: 'InProgress', minutesAgo: 0 })
  await seedSnapshot(client, web, { name: 'odd', phase: 'Unknown', minutesAgo: 90 })
  await seedSnapshot(client, web, { name: 'pending' })
  await seedSnapshot(client, web, {
    ...good,
    name: 'of-a-former-vm',
    sourceUID: '00000000-0000-0000-0000-00000000dead',
    minutesAgo: 90_000,
  })
  await client.patch(
    VirtualMachineSnapshot,
    { namespace, name: 'odd' },
    { metadata: { finalizers: ['example.com/kept'] } },
  )
  await seedSnapshot(client, web, {
    ...good,
    name: 'web-before-restore',
    labels: { [originLabel]: 'before-restore' },
    annotations: { [expiresAtAnnotation]: new Date(Date.now() + 20 * 3_600_000).toISOString() },
    minutesAgo: 1,
  })
  await seedRestore(client, web, {
    name: 'restore-nightly',
    snapshot: 'nightly',
    state: 'complete',
    minutesAgo: 0,
    annotations: { [beforeRestoreAnnotation]: 'web-before-restore' },
    volumes: [
      { volumeName: 'root', persistentVolumeClaim: 'web-root', volumeSnapshotName: 'vmsnapshot-nightly-volume-root' },
    ],
  })
  await seedRestore(client, web, {
    name: 'restore-failed',
    snapshot: 'no-agent',
    state: 'failed',
    message: 'the claim web-root could not be created: exceeded quota',
    minutesAgo: 30,
  })

  const db = await seedVm(client, { name: 'db', status: 'Stopped' })
  await seedSnapshot(client, db, { name: 'db-monday', phase: 'Succeeded', achieved: 'Offline', minutesAgo: 1_500 })
  await seedRestore(client, db, { name: 'restore-db', snapshot: 'db-monday', state: 'working', minutesAgo: 1 })
  const time = new Date().toISOString()
  await client.create(
    Event,
    objectOf(
      Event,
      { name: 'web.1', namespace },
      {
        involvedObject: {
          apiVersion: 'kubevirt.io/v1',
          kind: 'VirtualMachine',
          name: 'web',
          namespace,
          uid: web.metadata.uid ?? '',
        },
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: 'Started the virtual machine',
        firstTimestamp: time,
        lastTimestamp: time,
        count: 1,
      },
    ),
  )
}
