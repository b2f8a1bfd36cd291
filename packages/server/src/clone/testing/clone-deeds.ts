import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { cloneRestoreName, cloneSnapshotName, targetNameOf } from '@stillpoint/api/clone/names'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import {
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { drawDeedsFrom } from '../../controller/testing/schedules.ts'
import type { SeededRandom } from '../../controller/testing/seeded-random.ts'
import { lab, type World } from '../../controller/testing/simulated-seeds.ts'
import type { Deed, Simulation } from '../../controller/testing/simulation.ts'
import { refOf } from '../../kube/client.ts'
import type { CloneJudge } from './clone-judge.ts'

const { namespace } = lab

/** What is cloned: the VM, a snapshot that is there, or one that is being taken. */
export type Source = 'vm' | 'taken snapshot' | 'new snapshot'

/** Asks for a clone in one of the ways the API offers. */
export async function startClone(
  simulation: Simulation,
  name: string,
  judge: CloneJudge,
  source: Source,
  random: SeededRandom,
): Promise<void> {
  const of =
    source === 'vm'
      ? { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name }
      : { apiGroup: 'snapshot.kubevirt.io', kind: 'VirtualMachineSnapshot', name: 'snap' }
  const target = random.pick([
    undefined,
    { apiGroup: 'kubevirt.io', kind: 'VirtualMachine' },
    { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'copy' },
    { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'copy' },
    ...(source !== 'vm' && simulation.api.find(VirtualMachine, lab) === undefined
      ? [{ apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name }]
      : []),
  ])
  const filters = random.pick([undefined, undefined, [], ['*', '!^drop/'], ['^keep/']])
  const newMacAddresses = random.weighted<Record<string, string> | undefined>([
    [6, undefined],
    [3, judge.layout.identified ? { blue: '02:00:00:00:00:02' } : undefined],
    [1, { green: '02:00:00:00:00:03' }],
  ])
  const volumeNamePolicy = random.pick([undefined, 'RandomizeNames', 'PrefixTargetName', 'PrefixTargetName'] as const)
  const patches = random.weighted<string[] | undefined>([
    [7, undefined],
    [3, ['{"op": "add", "path": "/spec/template/spec/hostname", "value": "renamed"}']],
    [1, ['{"op": "remove", "path": "/spec/template/spec/nothing"}']],
  ])
  const spec = {
    source: of,
    ...(target === undefined ? {} : { target }),
    ...(filters === undefined
      ? {}
      : { labelFilters: filters, annotationFilters: filters, template: { labelFilters: filters } }),
    ...(newMacAddresses === undefined ? {} : { newMacAddresses }),
    ...(random.chance(0.3) ? { newSMBiosSerial: 'new-serial' } : {}),
    ...(volumeNamePolicy === undefined ? {} : { volumeNamePolicy }),
    ...(patches === undefined ? {} : { patches }),
  }
  await simulation.client.create(VirtualMachineClone, objectOf(VirtualMachineClone, { name, namespace }, { spec }))
  simulation.note(`${name} of the ${source}: ${JSON.stringify(spec)}`)
}

/** What users and the world do to a clone, to what it is made of and to what becomes of it. */
export function drawDeeds(
  { simulation, machines }: World,
  judge: CloneJudge,
  source: Source,
  random: SeededRandom,
): Deed[] {
  const { api, client } = simulation
  const first = { namespace, name: 'clone' }
  const clone = () => api.find(VirtualMachineClone, first)
  // Known before anything is made; a clone that is gone has left its copy.
  const { uid, target } = (() => {
    const found = clone()
    if (found === undefined) throw new Error('the clone is gone')
    return { uid: uidOf(found), target: { namespace, name: targetNameOf(found) } }
  })()
  const tmpSnapshot = { namespace, name: source === 'vm' ? cloneSnapshotName(uid) : 'snap' }
  const tmpRestore = { namespace, name: cloneRestoreName(uid) }
  const label = { metadata: { labels: { seen: `${random.integer(0, 9)}` } } }
  const wipe = (definition: ResourceDefinition, ref: { namespace: string; name: string }) =>
    client.patch(definition, ref, { status: null }, { subresource: 'status' })
  const removeAny = async (definition: ResourceDefinition): Promise<void> => {
    const found = api.list(definition)
    if (found.length === 0) return
    judge.did.add('robbed')
    await client.delete(definition, refOf(random.pick(found)))
  }
  const removeTarget = async (): Promise<void> => {
    if (api.find(VirtualMachine, target) !== undefined) judge.did.add('target deleted')
    await client.delete(VirtualMachine, target)
  }
  const deeds: [number, string, () => Promise<unknown> | undefined][] = [
    [5, 'the clone is deleted', () => client.delete(VirtualMachineClone, first)],
    [1, 'the clone gets a label', () => client.patch(VirtualMachineClone, first, label)],
    [
      2,
      'the status of the clone is wiped',
      () => {
        judge.did.add('wiped')
        return wipe(VirtualMachineClone, first)
      },
    ],
    [
      2,
      'its snapshot is deleted',
      () => {
        judge.did.add('snapshot deleted')
        return client.delete(VirtualMachineSnapshot, tmpSnapshot)
      },
    ],
    [1, 'the status of its snapshot is wiped', () => wipe(VirtualMachineSnapshot, tmpSnapshot)],
    [
      2,
      'its restore is deleted',
      () => {
        judge.did.add('restore deleted')
        return client.delete(VirtualMachineRestore, tmpRestore)
      },
    ],
    [
      1,
      'the status of its restore is wiped',
      () => {
        // One that is over would be done again, on what the copy has written since.
        if (api.find(VirtualMachineRestore, tmpRestore)?.status?.complete) return undefined
        return wipe(VirtualMachineRestore, tmpRestore)
      },
    ],
    [1, 'a content is deleted', () => removeAny(VirtualMachineSnapshotContent)],
    [1, 'a volume snapshot is deleted', () => removeAny(VolumeSnapshot)],
    [
      1,
      'a claim of the copy is deleted',
      async () => {
        const found = api.list(PersistentVolumeClaim).filter(({ metadata }) => judge.markOf(metadata) !== undefined)
        if (found.length === 0) return
        judge.did.add('robbed')
        await client.delete(PersistentVolumeClaim, refOf(random.pick(found)))
      },
    ],
    [3, 'the copy is started', () => machines.start(target)],
    [1, 'the copy is stopped', () => machines.stop(target)],
    [1, 'the copy gets a label', () => client.patch(VirtualMachine, target, label)],
    [2, 'the copy is deleted', removeTarget],
    [2, 'the source is started', () => machines.start(lab)],
    [2, 'the source is stopped', () => machines.stop(lab)],
    [1, 'the source gets a label', () => client.patch(VirtualMachine, lab, label)],
    [
      2,
      'the source is deleted',
      () => {
        // A copy may have taken the name of a source that is gone.
        const metadata = api.find(VirtualMachine, lab)?.metadata
        judge.did.add(metadata && judge.markOf(metadata) ? 'target deleted' : 'source deleted')
        return client.delete(VirtualMachine, lab)
      },
    ],
    [
      1,
      'somebody makes a VM of the name of the copy',
      async () => {
        // Who takes the name of the lost VM of a snapshot says that it is that VM.
        if (target.name === lab.name) return
        const spec = { runStrategy: 'Halted', template: { spec: { domain: { devices: {} } } } }
        await client.create(VirtualMachine, objectOf(VirtualMachine, target, { spec }))
        judge.did.add('rival')
      },
    ],
    [
      2,
      'another clone is asked for',
      () => {
        judge.did.add('another clone')
        return startClone(simulation, 'again', judge, source, random)
      },
    ],
    [
      1,
      'a snapshot of the source is taken',
      () => {
        const spec = { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name } }
        const metadata = { name: 'meanwhile', namespace }
        return client.create(VirtualMachineSnapshot, objectOf(VirtualMachineSnapshot, metadata, { spec }))
      },
    ],
    [1, 'the guests die', () => machines.change('die')],
    [1, 'the guest agents go', () => machines.change('agent-gone')],
    [1, 'the server forgets its history', () => api.compact()],
  ]
  return drawDeedsFrom(random, 45, () => random.weighted(deeds.map(([weight, ...deed]) => [weight, deed] as const)))
}
