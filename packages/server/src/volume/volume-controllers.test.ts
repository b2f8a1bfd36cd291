import { Event } from '@stillpoint/api/core/event'
import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { keyOf } from '@stillpoint/api/meta/object-meta'
import { objectOf } from '@stillpoint/api/schema/resource'
import { cutSetAnnotation } from '@stillpoint/api/snapshot/keys'
import {
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from '@stillpoint/api/storage/kinds'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CsiError } from '../csi/csi-error.ts'
import { layeredClassName, layersDriver } from './keys.ts'
import { MemoryDriver } from './testing/memory-driver.ts'
import { World } from './testing/world.ts'

let world: World
let driver: MemoryDriver

beforeEach(async () => {
  world = await World.create()
  driver = new MemoryDriver()
  await world.start(driver)
  await world.until(StorageClass, layeredClassName, () => true)
})
afterEach(async () => {
  await world.close()
})

const ready = ({ status }: VolumeSnapshot): boolean =>
  status?.readyToUse === true && status.boundVolumeSnapshotContentName !== undefined

test('a claim without a class gets the default one, a volume, and both are bound', async () => {
  const claim = await world.boundClaim('disk')
  expect(claim.spec?.storageClassName).toBe(layeredClassName)
  expect(claim.status?.capacity).toEqual({ storage: '1Mi' })
  const volume = await world.until(
    PersistentVolume,
    claim.spec?.volumeName ?? '',
    ({ status }) => status?.phase === 'Bound',
  )
  expect(volume.spec?.claimRef?.uid).toBe(claim.metadata.uid)
  expect(driver.volumes.has(volume.spec?.csi?.volumeHandle ?? '')).toBe(true)
})

test('deleting a claim deletes its volume, with the data', async () => {
  const claim = await world.boundClaim('disk')
  await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  await world.untilGone(PersistentVolumeClaim, 'disk')
  await world.untilGone(PersistentVolume, claim.spec?.volumeName ?? '')
  expect(driver.volumes.size).toBe(0)
})

describe('a volume that is to be retained', () => {
  const handleOf = (volume: PersistentVolume): string => volume.spec?.csi?.volumeHandle ?? ''
  const policy = (name: string, persistentVolumeReclaimPolicy: 'Delete' | 'Retain') =>
    world.client.patch(PersistentVolume, { name }, { spec: { persistentVolumeReclaimPolicy } })
  const phase = (name: string, wanted: string) =>
    world.until(PersistentVolume, name, ({ status }) => status?.phase === wanted)

  async function released(): Promise<PersistentVolume> {
    const claim = await world.boundClaim('disk')
    const name = claim.spec?.volumeName ?? ''
    const volume = driver.volumes.get(handleOf(await world.client.get(PersistentVolume, { name })))
    if (volume) volume.data = 'precious'
    await policy(name, 'Retain')
    await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
    await world.untilGone(PersistentVolumeClaim, 'disk')
    return phase(name, 'Released')
  }

  test.each([
    ['of the same name, once the UID of the old is taken from it', 'disk', { uid: null, resourceVersion: null }],
    ['of any name, once it is reserved for nobody', 'another', null],
  ])('outlives its claim and is bound with its data by one %s', async (_, claimName, claimRef) => {
    const { metadata } = await released()
    // Somebody else's still, as Kubernetes sees it.
    await world.claim(claimName, { volumeName: metadata.name })
    await untilEvent('FailedBinding', /already bound to a different claim/)
    await world.client.patch(PersistentVolume, { name: metadata.name }, { spec: { claimRef } })
    const claim = await world.until(PersistentVolumeClaim, claimName, ({ status }) => status?.phase === 'Bound')
    const volume = await phase(metadata.name, 'Bound')
    expect(volume.spec?.claimRef).toMatchObject({ name: claimName, uid: claim.metadata.uid })
    expect(driver.volumes.size).toBe(1)
    expect(driver.volumes.get(handleOf(volume))?.data).toBe('precious')

    await policy(metadata.name, 'Delete')
    await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name: claimName })
    await world.untilGone(PersistentVolume, metadata.name)
    expect(driver.volumes.size).toBe(0)
  })

  test('is available when it is reserved for nobody', async () => {
    const { metadata } = await released()
    await world.client.patch(PersistentVolume, { name: metadata.name }, { spec: { claimRef: null } })
    await phase(metadata.name, 'Available')
  })

  test('is deleted with its data when the policy is Delete again', async () => {
    const { metadata } = await released()
    expect(driver.volumes.size).toBe(1)
    await policy(metadata.name, 'Delete')
    await world.untilGone(PersistentVolume, metadata.name)
    expect(driver.volumes.size).toBe(0)
  })

  test('is deleted without its data by hand', async () => {
    const { metadata } = await released()
    await world.client.delete(PersistentVolume, { name: metadata.name })
    await world.untilGone(PersistentVolume, metadata.name)
    expect(driver.volumes.size).toBe(1)
  })

  test('is not lost when its claim goes right after the policy was changed', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `disk-${i}`)
    await Promise.all(
      names.map(async (name) => {
        const { spec } = await world.boundClaim(name)
        await policy(spec?.volumeName ?? '', 'Retain')
        await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name })
        await phase(spec?.volumeName ?? '', 'Released')
      }),
    )
    expect(driver.volumes.size).toBe(names.length)
  })

  test.each([
    ['too small', { resources: { requests: { storage: '1Gi' } } }, /requested PV is too small/],
    ['of another class', { storageClassName: 'other' }, /storageClassName does not match/],
    ['of another mode', { volumeMode: 'Block' }, /incompatible volumeMode/],
    ['of other access modes', { accessModes: ['ReadWriteMany'] }, /incompatible accessMode/],
  ])('is not bound by a claim that it cannot serve: %s', async (_, spec, message) => {
    const { metadata } = await released()
    await world.client.patch(PersistentVolume, { name: metadata.name }, { spec: { claimRef: null } })
    await world.claim('greedy', { volumeName: metadata.name, ...spec })
    await untilEvent('VolumeMismatch', message)
    await phase(metadata.name, 'Available')
  })
})

test('a snapshot of one claim is cut, named by a content, and restored into a new claim', async () => {
  const claim = await world.boundClaim('disk')
  const handle = (await world.client.get(PersistentVolume, { name: claim.spec?.volumeName ?? '' })).spec?.csi
    ?.volumeHandle
  const volume = driver.volumes.get(handle ?? '')
  if (volume) volume.data = 'before'
  await world.snapshot('snap', 'disk')
  const snapshot = await world.until(VolumeSnapshot, 'snap', ready)
  if (volume) volume.data = 'after'
  const restored = await world.boundClaim('restored', {
    dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' },
  })
  const made = (await world.client.get(PersistentVolume, { name: restored.spec?.volumeName ?? '' })).spec?.csi
    ?.volumeHandle
  expect(driver.volumes.get(made ?? '')?.data).toBe('before')

  const contentName = snapshot.status?.boundVolumeSnapshotContentName ?? ''
  await world.client.delete(VolumeSnapshot, { namespace: 'default', name: 'snap' })
  await world.untilGone(VolumeSnapshot, 'snap')
  await world.untilGone(VolumeSnapshotContent, contentName)
  expect(driver.snapshots.size).toBe(0)
})

test('the members of a cut set are cut by one group snapshot and bear one time', async () => {
  await Promise.all(['a', 'b'].map((name) => world.boundClaim(name)))
  const latencies: number[] = []
  for (let round = 0; round < 5; round += 1) {
    const names = ['a', 'b'].map((name) => ({ claim: name, name: `${name}-${round}` }))
    await Promise.all(
      names.map(({ name, claim }) => world.snapshot(name, claim, { [cutSetAnnotation]: `set-${round}/2` })),
    )
    const created = performance.now()
    const cut = await Promise.all(
      names.map(({ name }) => world.until(VolumeSnapshot, name, ({ status }) => status?.creationTime !== undefined)),
    )
    latencies.push(performance.now() - created)
    expect(new Set(cut.map(({ status }) => status?.creationTime)).size).toBe(1)
  }
  console.log(
    `last create to last status seen by a polling client: ${latencies.map((ms) => ms.toFixed(1)).join(' ')} ms`,
  )
  expect(driver.calls.filter((call) => call.startsWith('createGroupSnapshot'))).toHaveLength(5)
  expect(driver.calls.filter((call) => call.startsWith('createSnapshot'))).toHaveLength(0)
})

test('a restart between the cut and its report finds the cut instead of making another', async () => {
  await Promise.all(['a', 'b'].map((name) => world.boundClaim(name)))
  const crashed = Promise.withResolvers<void>()
  driver.checkpoint = async (name, at) => {
    if (name !== 'createGroupSnapshot' || at !== 1) return
    crashed.resolve()
    throw new Error('the answer is lost')
  }
  const members = await Promise.all(
    ['a', 'b'].map((name) => world.snapshot(`snap-${name}`, name, { [cutSetAnnotation]: 'set/2' })),
  )
  await crashed.promise
  await world.stop()
  const cutAt = [...driver.groups.values()][0]?.creationTime
  driver.checkpoint = () => {}
  await world.start(driver)
  const cut = await Promise.all(members.map(({ metadata }) => world.until(VolumeSnapshot, metadata.name, ready)))
  expect(driver.groups.size).toBe(1)
  expect(driver.snapshots.size).toBe(2)
  for (const { status } of cut) {
    expect(status?.creationTime).toBe(cutAt?.toISOString())
    const content = await world.client.get(VolumeSnapshotContent, {
      name: status?.boundVolumeSnapshotContentName ?? '',
    })
    expect(content.status?.creationTime).toBe((cutAt?.getTime() ?? 0) * 1_000_000)
  }
})

test('a set that stays incomplete is cut alone and says so', async () => {
  await world.boundClaim('a')
  const snapshot = await world.snapshot('snap', 'a', { [cutSetAnnotation]: 'set/2' })
  await world.until(VolumeSnapshot, keyOf(snapshot).split('/')[1] ?? '', ready)
  expect(driver.calls.filter((call) => call.startsWith('createSnapshot'))).toHaveLength(1)
  expect(driver.groups.size).toBe(0)
})

test('a claim in use stays until the machine has ended', async () => {
  await world.boundClaim('disk')
  const ref = { namespace: 'default', name: 'machine' }
  await world.client.create(
    VirtualMachineInstance,
    objectOf(VirtualMachineInstance, ref, {
      spec: { domain: { devices: {} }, volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'disk' } }] },
    }),
  )
  await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  await untilEvent('VolumeInUse', /VirtualMachineInstance machine/)
  expect(driver.volumes.size).toBe(1)
  await world.client.delete(VirtualMachineInstance, ref)
  await world.untilGone(PersistentVolumeClaim, 'disk')
})

test('a class that waits for its first consumer does, and says so', async () => {
  await world.client.create(
    StorageClass,
    objectOf(
      StorageClass,
      { name: 'lazy' },
      { provisioner: layersDriver, reclaimPolicy: 'Retain', volumeBindingMode: 'WaitForFirstConsumer' },
    ),
  )
  await world.claim('disk', { storageClassName: 'lazy' })
  await untilEvent('WaitForFirstConsumer', /waiting for first consumer/)
  expect(driver.volumes.size).toBe(0)
  const ref = { namespace: 'default', name: 'machine' }
  await world.client.create(
    VirtualMachineInstance,
    objectOf(VirtualMachineInstance, ref, {
      spec: { domain: { devices: {} }, volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'disk' } }] },
    }),
  )
  const claim = await world.until(PersistentVolumeClaim, 'disk', ({ status }) => status?.phase === 'Bound')

  // And its policy keeps the data when the claim goes.
  await world.client.delete(VirtualMachineInstance, ref)
  await world.client.delete(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  await world.until(PersistentVolume, claim.spec?.volumeName ?? '', ({ status }) => status?.phase === 'Released')
  expect(driver.volumes.size).toBe(1)
})

test('a claim of an unknown class or driver waits, with the reason', async () => {
  await world.claim('classless', { storageClassName: 'none-such' })
  await untilEvent('ProvisioningFailed', /"none-such" not found/)
  await world.client.create(
    StorageClass,
    objectOf(
      StorageClass,
      { name: 'foreign' },
      { provisioner: 'other.example', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
    ),
  )
  await world.claim('foreign', { storageClassName: 'foreign' })
  await untilEvent('ExternalProvisioning', /other\.example/)
})

test('a driver that refuses is reported, and asked again', async () => {
  let refusals = 2
  driver.checkpoint = (name, at) => {
    if (name !== 'createVolume' || at !== 0 || refusals === 0) return
    refusals -= 1
    throw new CsiError('RESOURCE_EXHAUSTED', 'CreateVolume', 'the disk is full')
  }
  await world.boundClaim('disk')
  await untilEvent('ProvisioningFailed', /the disk is full/)
})

test('a failed cut is told in the status, and cleared when it succeeds', async () => {
  await world.boundClaim('disk')
  let broken = true
  driver.checkpoint = (name, at) => {
    if (name === 'createSnapshot' && at === 0 && broken) throw new CsiError('INTERNAL', 'CreateSnapshot', 'no space')
  }
  await world.snapshot('snap', 'disk')
  const failing = await world.until(VolumeSnapshot, 'snap', ({ status }) => status?.error !== undefined)
  expect(failing.status).toMatchObject({ readyToUse: false, error: { message: expect.stringContaining('no space') } })
  broken = false
  const cut = await world.until(VolumeSnapshot, 'snap', ready)
  expect(cut.status?.error).toBeUndefined()
})

async function untilEvent(reason: string, message: RegExp): Promise<void> {
  await expect
    .poll(
      async () => {
        const { items } = await world.client.list(Event, { namespace: 'default' })
        return items.filter((event) => event.reason === reason).map((event) => event.message)
      },
      { timeout: 10_000 },
    )
    .toContainEqual(expect.stringMatching(message))
}
