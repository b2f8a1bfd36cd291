import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { objectOf } from '@stillpoint/api/schema/resource'
import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import { CaptureProblem, captureContent, captureRevisions, keepCopies } from './capture.ts'
import { claim, nobody, snapshot, snapshotClass, stillWorld, storageClass, vm, vmi } from './testing/still-world.ts'

const fast = [storageClass(), snapshotClass()]
const snap = snapshot({ phase: 'InProgress' })
const volumes = [
  { name: 'root', persistentVolumeClaim: { claimName: 'root-claim' } },
  { name: 'seed', cloudInitNoCloud: { userData: '' } },
]

describe('offline', () => {
  test('c.5-content name, finalizer, owner, snapshot name and backups of a content', async () => {
    const world = stillWorld(claim('root-claim', { managedFields: [{}], labels: { a: 'b' } }), ...fast)
    const content = await captureContent(nobody, world, snap, { vm: vm(volumes), vmi: undefined })
    expect(content.metadata).toEqual({
      name: 'vmsnapshot-content-uid-of-snap',
      namespace: 'ns',
      finalizers: ['snapshot.kubevirt.io/vmsnapshotcontent-protection'],
      annotations: {},
    })
    expect(content.spec.virtualMachineSnapshotName).toBe('snap')
    expect(content.spec.volumeBackups).toEqual([
      {
        volumeName: 'root',
        persistentVolumeClaim: {
          metadata: expect.objectContaining({ name: 'root-claim', uid: 'uid-of-root-claim', labels: { a: 'b' } }),
          spec: { storageClassName: 'fast', volumeName: 'pv-root-claim' },
        },
        volumeSnapshotName: 'vmsnapshot-uid-of-snap-volume-root',
      },
    ])
    expect(content.spec.volumeBackups?.[0]?.persistentVolumeClaim.metadata).not.toHaveProperty('managedFields')
  })

  test('c.7-offline metadata and spec as they are, the status empty', async () => {
    const source = vm(volumes, {
      metadata: { labels: { a: 'b' }, annotations: { c: 'd' }, managedFields: [{}] },
      status: { printableStatus: 'Stopped', created: true },
    })
    const { managedFields: _, ...metadata } = source.metadata
    const content = await captureContent(nobody, stillWorld(...fast), snap, { vm: source, vmi: undefined })
    expect(content.spec.source.virtualMachine).toEqual({ metadata, spec: source.spec, status: {} })
  })

  test('c.5 W-25 all volumes skipped is a snapshot of the definition', async () => {
    const content = await captureContent(nobody, stillWorld(), snap, { vm: vm(volumes), vmi: undefined })
    expect(content.spec.volumeBackups).toEqual([])
  })
})

describe('with revisions', () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await startBench()
  })
  afterAll(() => bench.close())

  const revise = (name: string, data: Record<string, unknown>, labels: Record<string, string> = {}) =>
    bench.client.create(
      ControllerRevision,
      objectOf(ControllerRevision, { name, namespace: 'default', labels }, { revision: 1, data }),
    )
  const inDefault = { metadata: { namespace: 'default' } }
  const running = (virtualMachineRevisionName?: string) => vmi({ phase: 'Running', virtualMachineRevisionName })
  const capture = (source: ReturnType<typeof vm>, instance: ReturnType<typeof vmi> | undefined) =>
    captureContent(bench.client, stillWorld(), snap, { vm: source, vmi: instance })
  const specOf = ({ spec }: VirtualMachineSnapshotContent) => spec.source.virtualMachine?.spec

  test('c.7-online the definition the guest was started with, on the disks it has now', async () => {
    const started = vm(volumes, { dataVolumeTemplates: [{ metadata: { name: 'old' }, spec: {} }] }).spec
    await revise('started', {
      spec: { ...started, template: { ...started.template, metadata: { labels: { x: 'y' } } } },
    })
    const now = vm([{ name: 'plugged', persistentVolumeClaim: { claimName: 'plugged-claim' } }], {
      ...inDefault,
      devices: { disks: [{ name: 'plugged', disk: { bus: 'scsi' } }], rng: {} },
      dataVolumeTemplates: [{ metadata: { name: 'new' }, spec: {} }],
      runStrategy: 'Always',
    })
    const spec = specOf(await capture(now, running('started')))
    expect(spec?.runStrategy).toBe('Manual')
    expect(spec?.template.metadata?.labels).toEqual({ x: 'y' })
    expect(spec?.template.spec.domain.devices).toEqual({ disks: [{ name: 'plugged', disk: { bus: 'scsi' } }] })
    expect(spec?.template.spec.volumes).toEqual(now.spec.template.spec.volumes)
    expect(spec?.dataVolumeTemplates?.map(({ metadata }) => metadata.name)).toEqual(['new'])
  })

  test.each([
    ['that is missing', 'gone', 'ControllerRevision gone of the running VM does not exist'],
    ['that is not named', undefined, 'VirtualMachineInstance my-vm does not name the revision it started from'],
  ])('c.7-online W-23 a revision %s is told', async (_, name, message) => {
    await expect(capture(vm(volumes, inDefault), running(name))).rejects.toThrow(new CaptureProblem(message))
  })

  test('c.7-online W-23 a revision that holds no definition is told', async () => {
    await revise('strange', { spec: 7 })
    await expect(capture(vm(volumes, inDefault), running('strange'))).rejects.toThrow(
      'ControllerRevision strange holds no VM definition',
    )
  })

  test('c.7-revisions copied under the name of the snapshot, owned by it, and named by the captured VM', async () => {
    await revise('my-vm-small-my-vm-1', { a: 1 }, { kind: 'instancetype' })
    const source = vm(volumes, {
      ...inDefault,
      instancetype: { name: 'small', revisionName: 'my-vm-small-my-vm-1' },
    })
    expect(specOf(await capture(source, undefined))?.instancetype?.revisionName).toBe('snap-small-my-vm-1')
    // "Already exists" is fine.
    const copies = await captureRevisions(bench.client, snap, { vm: source, vmi: undefined })
    for (let pass = 0; pass < 2; pass += 1) await keepCopies(bench.client, copies)
    expect(copies).toHaveLength(1)
    expect(copies[0]).toMatchObject({
      data: { a: 1 },
      revision: 1,
      metadata: {
        name: 'snap-small-my-vm-1',
        labels: { kind: 'instancetype' },
        ownerReferences: [{ kind: 'VirtualMachineSnapshot', name: 'snap', controller: true, blockOwnerDeletion: true }],
      },
    })
  })

  test('a.8 W-32 a revision without the name of the VM gets that of the snapshot before it', async () => {
    const source = vm(volumes, { ...inDefault, preference: { name: 'p', revisionName: 'shared-1' } })
    expect(specOf(await capture(source, undefined))?.preference?.revisionName).toBe('snap-shared-1')
  })

  test('c.7-revisions W-32 one that only the status names is captured, off as well', async () => {
    await revise('my-vm-plain-1', { spec: {} })
    const source = vm(volumes, {
      ...inDefault,
      preference: { name: 'plain' },
      status: { printableStatus: '', preferenceRef: { controllerRevisionRef: { name: 'my-vm-plain-1' } } },
    })
    expect(specOf(await capture(source, undefined))?.preference?.revisionName).toBe('snap-plain-1')
  })
})
