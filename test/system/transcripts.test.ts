import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kinds } from '../../packages/api/src/kinds.ts'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { uidOf } from '../../packages/api/src/meta/object-meta.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { snapshotAdmission } from '../../packages/api/src/snapshot/admission.ts'
import { consistencyAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../../packages/api/src/snapshot/kinds.ts'
import {
  PersistentVolumeClaim,
  StorageClass,
  VolumeSnapshot,
  VolumeSnapshotClass,
} from '../../packages/api/src/storage/kinds.ts'
import { type Bench, type Process, startBench } from '../../packages/server/src/controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../../packages/server/src/controller/testing/fake-guest.ts'
import {
  type SeededVm,
  seedClaim,
  seedStorage,
  seedVm,
  startRestore,
  takeSnapshot,
} from '../../packages/server/src/controller/testing/seeds.ts'
import { restoreControllers } from '../../packages/server/src/restore/controllers.ts'
import { snapshotControllers } from '../../packages/server/src/snapshot/controllers.ts'
import { kubectlBinaries } from './kubectl-binary.ts'
import { kubectl, root } from './server.ts'

// What `kubectl describe` shows in every state a person may find: part of the documents, and made here. Written anew
// with UPDATE_TRANSCRIPTS=1; otherwise the documents have to say what kubectl says.

let bench: Bench
let guest: FakeGuest
let storage: FakeStorage
let process: Process
let folder: string
let kubeconfig: string

const run = (now?: () => Date) =>
  bench.run((context) => [snapshotControllers(context), restoreControllers(context)], now ? { now } : {})

beforeAll(async () => {
  bench = await startBench({ resources: kinds, admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
  guest = new FakeGuest(bench)
  storage.guest = guest
  process = await run()
  folder = await mkdtemp(join(tmpdir(), 'sp-transcripts-'))
  kubeconfig = join(folder, 'kubeconfig')
  await writeFile(kubeconfig, bench.api.adminKubeconfig, { mode: 0o600 })
})
afterAll(async () => {
  await process.stop()
  await storage.close()
  await bench.close()
  await rm(folder, { recursive: true, force: true })
})

const running = async (options: Parameters<typeof bootVm>[2] = {}, disks = ['root']): Promise<SeededVm> => {
  const source = await seedVm(bench, { disks })
  await bootVm(bench, source, { revision: source.revision, ...options })
  return source
}
const setClaim = ({ namespace }: SeededVm, phase: string) =>
  bench.client.patch(
    PersistentVolumeClaim,
    { namespace, name: 'root-claim' },
    { status: { phase } },
    { subresource: 'status' },
  )
const lockVm = (source: SeededVm, status: object) =>
  bench.client.patch(VirtualMachine, source, { status }, { subresource: 'status' })

/** Settled when the picture of the present case is taken. */
let photographed = Promise.withResolvers<void>()

type Case = () => Promise<{ namespace: string; reason: string; event?: string }>

const snapshots: Record<string, Case> = {
  'its source does not exist': async () => {
    const source = await seedVm(bench)
    await takeSnapshot(bench, { ...source, name: 'other-vm' })
    return { ...source, reason: 'Source does not exist', event: 'create VirtualMachine' }
  },
  'a claim of its source is not bound': async () => {
    const source = await seedVm(bench)
    await setClaim(source, 'Pending')
    await takeSnapshot(bench, source)
    return { ...source, reason: 'volume not bound', event: 'kubectl describe pvc' }
  },
  'a claim of its source does not exist': async () => {
    const source = await seedVm(bench)
    await bench.client.delete(PersistentVolumeClaim, { namespace: source.namespace, name: 'root-claim' })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'volume doesnt exist', event: 'create the claim' }
  },
  'another snapshot of the VM is being taken': async () => {
    const source = await seedVm(bench)
    await lockVm(source, { snapshotInProgress: 'earlier' })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'snapshot "earlier" in progress', event: 'kubectl describe vmsnapshot earlier' }
  },
  'a restore works on the VM': async () => {
    const source = await seedVm(bench)
    await lockVm(source, { restoreInProgress: 'back' })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'restore "back" in progress', event: 'kubectl describe vmrestore back' }
  },
  'its source is being migrated': async () => {
    const source = await running()
    await bench.client.patch(VirtualMachineInstance, source, { status: { migrationState: { migrationUid: 'm' } } })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'is being migrated', event: 'when the migration has ended' }
  },
  'the guest refuses to freeze': async () => {
    const source = await running()
    const name = 'subresources.kubevirt.io/virtualmachineinstances/freeze'
    const answer = bench.subresources.get(name)
    guest.freezeFailures = ['server error. command Freeze failed: "hook /etc/qemu/fsfreeze-hook.d/db said no"']
    if (answer !== undefined)
      bench.subresources.set(name, async (call) => {
        // The next try takes its time, so that this picture stays.
        if (guest.calls.length > 0) await photographed.promise
        return await answer(call)
      })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'In error state', event: 'encountered error' }
  },
  'the storage cannot cut a volume': async () => {
    storage.cutting = false
    const source = await running()
    const { metadata } = await takeSnapshot(bench, source)
    const member = { namespace: source.namespace, name: `vmsnapshot-${metadata.uid}-volume-root` }
    await bench.until(VolumeSnapshot, member, (found) => found)
    const error = { message: 'no space left', time: '2026-01-01T00:00:00Z' }
    await bench.client.patch(VolumeSnapshot, member, { status: { error } }, { subresource: 'status' })
    return { ...source, reason: 'In error state', event: 'kubectl describe volumesnapshot' }
  },
  'several snapshot classes fit': async () => {
    const source = await seedVm(bench)
    const slow = { provisioner: 'csi.slow', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' } as const
    await bench.client.create(StorageClass, objectOf(StorageClass, { name: 'slow' }, slow))
    for (const name of ['slow-a', 'slow-b'])
      await bench.client.create(
        VolumeSnapshotClass,
        objectOf(VolumeSnapshotClass, { name }, { driver: 'csi.slow', deletionPolicy: 'Delete' }),
      )
    await bench.client.create(
      PersistentVolumeClaim,
      objectOf(
        PersistentVolumeClaim,
        { name: 'slow', namespace: source.namespace },
        { spec: { storageClassName: 'slow', volumeName: 'pv-slow' } },
      ),
    )
    await bench.client.patch(
      PersistentVolumeClaim,
      { namespace: source.namespace, name: 'slow' },
      { status: { phase: 'Bound' } },
      { subresource: 'status' },
    )
    await bench.client.patch(VirtualMachine, source, {
      spec: { template: { spec: { volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'slow' } }] } } },
    })
    await takeSnapshot(bench, source)
    return { ...source, reason: 'In error state', event: 'mark one of them as default' }
  },
  'all volumes are cut and the storage still copies': async () => {
    storage.readyAtOnce = false
    const source = await running()
    await takeSnapshot(bench, source)
    return { ...source, reason: 'Operation complete', event: 'VirtualMachineSnapshotComplete' }
  },
  'it is ready': async () => {
    const source = await running({}, ['root', 'data'])
    await takeSnapshot(bench, source)
    return { ...source, reason: 'Operation complete', event: 'VirtualMachineSnapshotComplete' }
  },
  'its deadline has passed': async () => {
    const source = await seedVm(bench)
    await setClaim(source, 'Pending')
    await takeSnapshot(bench, source, { failureDeadline: '3s' })
    return { ...source, reason: 'Operation failed', event: 'VirtualMachineSnapshotFailed' }
  },
  'the required consistency cannot be reached': async () => {
    const source = await running({ agent: false })
    await takeSnapshot(bench, source, { annotations: { [consistencyAnnotation]: 'Required' } })
    return { ...source, reason: 'Operation failed', event: 'VirtualMachineSnapshotFailed' }
  },
  'a volume snapshot of it was deleted': async () => {
    const source = await seedVm(bench)
    const { metadata } = await takeSnapshot(bench, source)
    const ref = { namespace: source.namespace, name: 'snap' }
    await bench.until(VirtualMachineSnapshot, ref, (snapshot) => snapshot?.status?.readyToUse)
    await bench.client.delete(VolumeSnapshot, { ...ref, name: `vmsnapshot-${metadata.uid}-volume-root` })
    return { ...source, reason: 'In error state', event: 'missing' }
  },
}

const snapshotted = async (options: Parameters<typeof seedVm>[1] = {}): Promise<SeededVm> => {
  const source = await seedVm(bench, options)
  const { namespace } = source
  await takeSnapshot(bench, source)
  await bench.until(VirtualMachineSnapshot, { namespace, name: 'snap' }, (found) => found?.status?.readyToUse)
  await bench.until(VirtualMachine, source, (vm) => !vm?.status?.snapshotInProgress && !vm?.metadata.finalizers?.length)
  return source
}
const restoreWhileRunning =
  (
    targetReadinessPolicy: VirtualMachineRestore['spec']['targetReadinessPolicy'],
    reason: string,
    event: string,
  ): Case =>
  async () => {
    const source = await snapshotted()
    await bootVm(bench, source)
    bench.subresources.set('subresources.kubevirt.io/virtualmachines/stop', async () => ({ code: 202 }))
    await startRestore(bench, source, { targetReadinessPolicy })
    return { ...source, reason, event }
  }

const restores: Record<string, Case> = {
  'its target runs, with WaitGracePeriod': restoreWhileRunning(
    'WaitGracePeriod',
    'or the operation will fail after 5m0s',
    'RestoreTargetNotReady',
  ),
  'its target runs, with WaitEventually': restoreWhileRunning(
    'WaitEventually',
    'Waiting for target VM to be powered off',
    'RestoreTargetNotReady',
  ),
  'its target is being stopped': restoreWhileRunning(
    'StopTarget',
    'Automatically stopping restore target',
    'RestoreTargetNotReady',
  ),
  'its target runs, with FailImmediate': restoreWhileRunning(
    'FailImmediate',
    'Restore target VMI must be powered off',
    'Operation failed',
  ),
  'its snapshot does not exist': async () => {
    const source = await seedVm(bench)
    await startRestore(bench, source)
    return { ...source, reason: 'does not exist', event: 'VirtualMachineRestoreError' }
  },
  'another restore works on the target': async () => {
    const source = await snapshotted()
    await lockVm(source, { restoreInProgress: 'first' })
    await startRestore(bench, source)
    return { ...source, reason: 'vm restore first in progress', event: 'VirtualMachineRestoreError' }
  },
  'its target is another VM': async () => {
    const source = await snapshotted()
    const { namespace } = source
    await bench.client.create(
      VirtualMachine,
      objectOf(VirtualMachine, { name: 'other-vm', namespace }, { spec: source.vm.spec }),
    )
    await startRestore(bench, { namespace, name: 'other-vm' })
    return { ...source, reason: 'are different but restore target already exists', event: 'VirtualMachineRestoreError' }
  },
  'the new claims are not bound yet': async () => {
    storage.binding = false
    const source = await snapshotted()
    await startRestore(bench, source)
    return { ...source, reason: 'Creating new PVCs', event: 'WaitingForVolumes' }
  },
  'a claim of the chosen name exists': async () => {
    const source = await snapshotted()
    await seedClaim(bench, source.namespace, 'taken')
    await startRestore(bench, source, { volumeRestoreOverrides: [{ volumeName: 'root', restoreName: 'taken' }] })
    return { ...source, reason: 'does not belong to this restore', event: 'Operation failed' }
  },
  'a patch does not fit': async () => {
    const source = await snapshotted()
    const patches = ['{"op": "replace", "path": "/spec/template/spec/domain/cpu/cores", "value": 2}']
    await startRestore(bench, { ...source, name: 'my-copy' }, { patches })
    return { ...source, reason: 'error patching VM my-copy', event: 'VirtualMachineRestoreError' }
  },
  'it is complete': async () => {
    const source = await snapshotted()
    await startRestore(bench, source)
    return { ...source, reason: 'Operation complete', event: 'VirtualMachineRestoreComplete' }
  },
}

async function transcript(
  definition: typeof VirtualMachineSnapshot | typeof VirtualMachineRestore,
  name: string,
  make: Case,
): Promise<string> {
  Object.assign(storage, { cutting: true, binding: true, readyAtOnce: true })
  guest = new FakeGuest(bench)
  storage.guest = guest
  const { namespace, reason, event } = await make()
  const ref = { namespace, name }
  await bench.until(definition, ref, (object) =>
    object?.status?.conditions?.some((condition) => condition.reason?.includes(reason)),
  )
  if (event !== undefined) await eventOf(namespace, event)
  const text = await kubectl(kubeconfig, ['describe', definition.singular, name, '-n', namespace])
  photographed.resolve()
  photographed = Promise.withResolvers()
  const object = await bench.client.get(definition, ref)
  return steady(text, namespace, uidOf(object))
}

const eventOf = async (namespace: string, text: string): Promise<void> => {
  const { Event } = await import('../../packages/api/src/core/event.ts')
  await bench.untilAny(Event, namespace, ({ reason, message }) => `${reason} ${message}`.includes(text) || undefined)
}

/** Without what differs from run to run: times, identities, and the namespace of the test. */
function steady(text: string, namespace: string, uid: string): string {
  return text
    .replaceAll(uid, '4f1c8f5e-…')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '9b2d4a6c-…')
    .replaceAll(new RegExp(`\\b${namespace}\\b`, 'g'), 'default')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, '2026-01-01T12:00:00.000Z')
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '2026-01-01T12:00:00Z')
    .replaceAll(/"(frozenMs|skewMs)":\d+/g, '"$1":0')
    .replaceAll(/(Resource Version: +)\d+/g, '$11000')
    .replaceAll(/(Generation: +)\d+/g, '$11')
    .replaceAll(
      /^( +(?:Normal|Warning) +.*?) +(?:<unknown>|<invalid>|\d+s(?: \(x\d+ over \d+s\))?) +(\S+-controller)/gm,
      '$1  1s  $2',
    )
    .split('\n')
    .filter((line) => !/^\s+(?:Manager|Operation|Fields V1|f:|Time):?/.test(line))
    .map((line) => line.trimEnd())
    .toSorted((a, b) => (isEvent(a) && isEvent(b) ? a.localeCompare(b) : 0))
    .join('\n')
    .trimEnd()
}

/** Events of one second have no order. */
const isEvent = (line: string): boolean => /^ {2}(?:Normal|Warning) /.test(line)

/** The whole once; of the others what differs. */
function shortened(text: string, whole: boolean): string {
  return whole ? text : `…\n${text.slice(text.indexOf('\nStatus:') + 1)}`
}

const begin = '<!-- transcripts: begin -->'
const end = '<!-- transcripts: end -->'

async function documented(file: string, kind: string, transcripts: Map<string, string>): Promise<void> {
  const path = join(root, 'docs', file)
  const text = await readFile(path, 'utf8')
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`${file} has no place for transcripts`)
  const sections = [...transcripts].map(
    ([state, shown]) => `### When ${state}\n\n\`\`\`\n$ kubectl describe ${kind}\n${shown}\n\`\`\`\n`,
  )
  const wanted = `${before}${begin}\n\n${sections.join('\n')}\n${end}${after}`
  if (globalThis.process.env.UPDATE_TRANSCRIPTS !== undefined) await writeFile(path, wanted)
  else expect(text).toBe(wanted)
}

// Older ones lay the same facts out differently.
const [kubectlBinary] = (await kubectlBinaries()).found
const isOld = Number(kubectlBinary?.version.split('.')[1] ?? 0) < 30

test('the documents show snapshots as kubectl does', async ({ skip }) => {
  if (isOld) skip(`kubectl ${kubectlBinary?.version} lays its output out differently; needs 1.30 or newer`)
  const made = new Map<string, string>()
  for (const [state, make] of Object.entries(snapshots))
    made.set(state, shortened(await transcript(VirtualMachineSnapshot, 'snap', make), state === 'it is ready'))
  await documented('snapshot.md', 'vmsnapshot snap', made)
})

test('the documents show restores as kubectl does', async ({ skip }) => {
  if (isOld) skip(`kubectl ${kubectlBinary?.version} lays its output out differently; needs 1.30 or newer`)
  const made = new Map<string, string>()
  for (const [state, make] of Object.entries(restores))
    made.set(state, shortened(await transcript(VirtualMachineRestore, 'back', make), state === 'it is complete'))
  await documented('restore.md', 'vmrestore back', made)
})
