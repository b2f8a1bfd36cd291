import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { lastRestoreUidAnnotation, startTargetAnnotation } from '@stillpoint/api/snapshot/keys'
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
import type { RestoreJudge } from './restore-judge.ts'

const { namespace } = lab
const copy = { namespace, name: 'copy' }
const storyPolicies = [undefined, 'RandomizeNames', 'PrefixTargetName', 'InPlace']

export type Target = 'same' | 'recreated' | 'deleted' | 'new'

/** Asks for a restore in one of the ways the API offers; `restarts`: one that stops its target and starts it again. */
export async function startRestore(
  simulation: Simulation,
  name: string,
  target: Target,
  random: SeededRandom,
  { restarts = false } = {},
): Promise<void> {
  const { client } = simulation
  const vm = target === 'new' ? copy : lab
  const policy = random.pick(target === 'new' ? storyPolicies.filter((each) => each !== 'InPlace') : storyPolicies)
  const overrides = random.pick([
    undefined,
    undefined,
    undefined,
    [{ volumeName: 'root', restoreName: `chosen-${name}` }],
    [{ volumeName: 'root', labels: { chosen: 'yes' } }],
  ])
  const readiness = random.pick([
    'WaitGracePeriod',
    'WaitEventually',
    'StopTarget',
    'StopTarget',
    'FailImmediate',
  ] as const)
  const patches = ['{"op": "add", "path": "/spec/template/spec/hostname", "value": "renamed"}']
  const spec = {
    target: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm.name },
    virtualMachineSnapshotName: 'snap',
    targetReadinessPolicy: restarts ? 'StopTarget' : readiness,
    ...(policy === undefined ? {} : { volumeRestorePolicy: policy }),
    ...(random.chance(0.2) ? { volumeOwnershipPolicy: 'None' } : {}),
    ...(overrides === undefined || policy === 'InPlace' ? {} : { volumeRestoreOverrides: overrides }),
    ...(target === 'new' && random.chance(0.3) ? { patches } : {}),
  }
  const annotations = restarts || random.chance(0.6) ? { [startTargetAnnotation]: 'true' } : {}
  await client.create(
    VirtualMachineRestore,
    objectOf(VirtualMachineRestore, { name, namespace, annotations }, { spec }),
  )
  simulation.note(`restore ${name} of ${target} VM: ${JSON.stringify({ ...spec, annotations })}`)
}

/** What users and the world do to a restore meanwhile. */
export function drawDeeds(
  { simulation, machines }: World,
  judge: RestoreJudge,
  random: SeededRandom,
  { target, both }: { target: Target; both: boolean },
): Deed[] {
  const { api, client } = simulation
  const back = { namespace, name: 'back' }
  const label = { metadata: { labels: { seen: `${random.integer(0, 9)}` } } }
  const remove = async (definition: ResourceDefinition, wanted: (object: KubeObject) => boolean = () => true) => {
    const found = api.list(definition).filter(wanted)
    if (found.length > 0) await client.delete(definition, refOf(random.pick(found)))
  }
  const meddling = (act: () => Promise<void>) => () => {
    judge.starts.meddled = true
    return act()
  }
  const made = ({ metadata }: KubeObject) => metadata.annotations?.[lastRestoreUidAnnotation] !== undefined
  const deeds: [number, string, () => Promise<unknown> | undefined][] = [
    [
      4,
      'the restore is deleted',
      () => {
        judge.deleted = true
        return client.delete(VirtualMachineRestore, back)
      },
    ],
    [1, 'the restore gets a label', () => client.patch(VirtualMachineRestore, back, label)],
    [1, 'the VM gets a label', () => client.patch(VirtualMachine, target === 'new' ? copy : lab, label)],
    [
      1,
      'the status of the restore is wiped',
      () => {
        // One that is over would be done again, on what the VM has written since.
        if (api.find(VirtualMachineRestore, back)?.status?.complete) return undefined
        judge.wiped = true
        return client.patch(VirtualMachineRestore, back, { status: null }, { subresource: 'status' })
      },
    ],
    [
      1,
      'a start is asked for',
      () =>
        client.patch(VirtualMachineRestore, back, { metadata: { annotations: { [startTargetAnnotation]: 'true' } } }),
    ],
    [3, 'the VM is started', meddling(() => machines.start(target === 'new' ? copy : lab))],
    [3, 'the VM is stopped', meddling(() => machines.stop(target === 'new' ? copy : lab))],
    [1, 'the guest dies', meddling(() => machines.change('die'))],
    [1, 'the server forgets its history', () => api.compact()],
    [
      1,
      'a volume snapshot is deleted',
      () => {
        judge.robbed = true
        return remove(VolumeSnapshot)
      },
    ],
    [
      1,
      'the content is deleted',
      async () => {
        judge.robbed = true
        await remove(VirtualMachineSnapshotContent)
      },
    ],
    [
      1,
      'the snapshot is deleted',
      async () => {
        judge.robbed = true
        await remove(VirtualMachineSnapshot)
      },
    ],
    [
      1,
      'a restored claim is deleted',
      () => {
        judge.robbed = true
        return remove(PersistentVolumeClaim, made)
      },
    ],
    [
      1,
      'the VM is deleted',
      () => {
        judge.vmDeleted = true
        return client.delete(VirtualMachine, target === 'new' ? copy : lab)
      },
    ],
    [
      2,
      'another restore is asked for',
      () => {
        judge.again = true
        return startRestore(simulation, 'again', target, random)
      },
    ],
    [
      both ? 2 : 0,
      'a snapshot is taken',
      () => {
        const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: lab.name }
        const meta = { name: 'meanwhile', namespace }
        return client.create(VirtualMachineSnapshot, objectOf(VirtualMachineSnapshot, meta, { spec: { source } }))
      },
    ],
  ]
  return drawDeedsFrom(random, 20, () => random.weighted(deeds.map(([weight, ...deed]) => [weight, deed] as const)))
}
