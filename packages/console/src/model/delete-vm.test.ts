import type { KubeObject, ObjectMeta } from '@stillpoint/api/meta/object-meta'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { describe, expect, test } from 'vitest'
import { belongingsOf, planVmDeletion, vmDeletionSteps } from './delete-vm.ts'
import { secondsAgo, snapshot, vm, vmOwner } from './testing/objects.ts'

const machine = vm({
  spec: {
    template: {
      spec: {
        domain: { devices: {} },
        volumes: [
          { name: 'root', dataVolume: { name: 'web-1-root' } },
          { name: 'data', persistentVolumeClaim: { claimName: 'shared' } },
          { name: 'again', persistentVolumeClaim: { claimName: 'shared' } },
          { name: 'lost', persistentVolumeClaim: { claimName: 'not-there' } },
          { name: 'cloudinit', cloudInitNoCloud: { userData: '#!' } },
        ],
      },
    },
  },
})
const meta = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  namespace: 'shop',
  uid: name,
  ...more,
})
const claim = (metadata: ObjectMeta): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata,
})
const dataVolume = (metadata: ObjectMeta): DataVolume => ({
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'DataVolume',
  metadata,
  spec: {},
})
const ownerOf = ({ apiVersion, kind, metadata }: KubeObject) => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
})

const root = dataVolume(meta('web-1-root', { uid: 'dv', ownerReferences: [vmOwner] }))
const around = {
  claims: [
    claim(meta('web-1-root', { ownerReferences: [ownerOf(root)] })),
    claim(meta('shared')),
    claim({ ...meta('shared'), namespace: 'elsewhere' }),
  ],
  dataVolumes: [root],
  snapshots: [
    snapshot({ metadata: { name: 'made-here', ownerReferences: [vmOwner] } }),
    snapshot({ metadata: { name: 'made-elsewhere' } }),
    snapshot({ metadata: { name: 'going', deletionTimestamp: secondsAgo(1) } }),
    snapshot({ metadata: { name: 'former' }, status: { sourceUID: 'another' } }),
  ],
}

describe('what belongs to a VM', () => {
  const belongings = belongingsOf(machine, around)
  test('its disks once each, and its own snapshots', () =>
    expect(belongings.map(({ key }) => key)).toEqual([
      'disk web-1-root',
      'disk shared',
      'snapshot made-here',
      'snapshot made-elsewhere',
    ]))
  test('a claim that a DataVolume owns stands for it', () => expect(belongings[0]?.object.kind).toBe('DataVolume'))
  test('its own disks are proposed to go, all else to stay', () =>
    expect(belongings.filter(({ deleted }) => deleted).map(({ key }) => key)).toEqual(['disk web-1-root']))
  test('a claim that has outlived its DataVolume stands for itself', () => {
    const owned = claim(meta('web-1-root', { ownerReferences: [vmOwner] }))
    const [disk] = belongingsOf(machine, { ...around, claims: [owned] })
    expect(disk).toMatchObject({ owned: true, object: owned })
  })
})

describe('the plan', () => {
  const belongings = belongingsOf(machine, around)
  const plan = (...deleted: string[]) => planVmDeletion(machine, belongings, new Set(deleted))

  test('what stays is detached, what the VM owns and goes needs nothing', () => {
    expect(plan('disk web-1-root').detach.map(({ object }) => object.metadata.name)).toEqual(['made-here'])
    expect(plan('disk web-1-root').remove).toEqual([])
    expect(plan('disk web-1-root', 'snapshot made-here').detach).toEqual([])
  })
  test('what is not owned and goes is deleted by name', () =>
    expect(plan('disk shared', 'snapshot made-elsewhere').remove.map(({ metadata }) => metadata.name)).toEqual([
      'shared',
      'made-elsewhere',
    ]))
  test('other owners stay', () => {
    const other = { ...vmOwner, kind: 'Schedule', uid: 'other' }
    const shared = snapshot({ metadata: { name: 'both', ownerReferences: [vmOwner, other] } })
    const found = belongingsOf(machine, { claims: [], dataVolumes: [], snapshots: [shared] })
    expect(planVmDeletion(machine, found, new Set()).detach).toEqual([{ object: shared, ownerReferences: [other] }])
  })
  test('by command line the same is done in the same order', () =>
    expect(vmDeletionSteps(machine, plan('disk web-1-root', 'disk shared'))).toEqual([
      { do: 'patch', object: around.snapshots[0], patch: { metadata: { ownerReferences: [] } } },
      { do: 'delete', objects: [machine, around.claims[1]] },
    ]))
})
