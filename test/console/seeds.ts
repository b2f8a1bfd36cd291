import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import type { Condition } from '../../packages/api/src/meta/condition.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import { indicationMessages } from '../../packages/api/src/snapshot/freeze-report.ts'
import { freezeReportAnnotation, receiptAnnotation } from '../../packages/api/src/snapshot/keys.ts'
import {
  type Indication,
  VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '../../packages/api/src/snapshot/kinds.ts'
import type { Receipt } from '../../packages/api/src/snapshot/receipt.ts'
import { PersistentVolumeClaim } from '../../packages/api/src/storage/kinds.ts'
import type { KubeClient } from '../../packages/server/src/kube/client.ts'

// Objects in every state the console shows, put there through the API.

export const namespace = 'default'
const vmRef = (name: string) => ({ apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name })

export interface VmSeed {
  name: string
  status?: string
  /** Volumes besides the root disk. */
  volumes?: Record<string, unknown>[]
  unsupported?: { name: string; reason: string }[]
  namespace?: string
}

/** A VM with a root disk on a claim and cloud-init, in the state given. */
export async function seedVm(client: KubeClient, seed: VmSeed): Promise<VirtualMachine> {
  const { name, status = 'Stopped', volumes = [], unsupported = [] } = seed
  const root = { name: 'root', persistentVolumeClaim: { claimName: `${name}-root` } }
  const cloudInit = { name: 'cloudinit', cloudInitNoCloud: { userData: '#cloud-config\n' } }
  const all = [root, ...(volumes as { name: string }[]), cloudInit]
  const vm = await client.create(
    VirtualMachine,
    objectOf(
      VirtualMachine,
      { name, namespace: seed.namespace ?? namespace },
      {
        spec: {
          runStrategy: status === 'Stopped' ? 'Halted' : 'Manual',
          template: {
            spec: {
              domain: {
                cpu: { cores: 2 },
                memory: { guest: '2Gi' },
                devices: { disks: all.map((volume) => ({ name: volume.name, disk: { bus: 'virtio' } })) },
              },
              volumes: all,
            },
          },
        },
        status: undefined,
      },
    ),
  )
  const reasonOf = (volume: string): string | undefined => unsupported.find((each) => each.name === volume)?.reason
  return client.updateStatus(VirtualMachine, {
    ...vm,
    status: {
      ...vm.status,
      printableStatus: status,
      created: status !== 'Stopped',
      ready: status === 'Running',
      volumeSnapshotStatuses: all.map((volume) => {
        if (volume.name === 'cloudinit')
          return {
            name: volume.name,
            enabled: false,
            reason: 'Snapshot is not supported for this volumeSource type [cloudinit]',
          }
        const reason = reasonOf(volume.name)
        return reason === undefined
          ? { name: volume.name, enabled: true }
          : { name: volume.name, enabled: false, reason }
      }),
    },
  })
}

/** The instance of a VM. Without an agent: nobody but the machine controller may say that there is one. */
export async function seedInstance(client: KubeClient, { metadata, spec }: VirtualMachine): Promise<void> {
  const { name, namespace: of = namespace } = metadata
  await client.create(
    VirtualMachineInstance,
    objectOf(VirtualMachineInstance, { name, namespace: of }, { spec: spec.template.spec, status: undefined }),
  )
}

/** A bound claim of 10 GiB. */
export async function seedClaim(client: KubeClient, name: string): Promise<void> {
  const requests = { storage: '10Gi' }
  const spec = { accessModes: ['ReadWriteOnce'], storageClassName: 'fast', volumeName: `pv-${name}` }
  const created = await client.create(
    PersistentVolumeClaim,
    objectOf(PersistentVolumeClaim, { name, namespace }, { spec: { ...spec, resources: { requests } } }),
  )
  await client.updateStatus(PersistentVolumeClaim, { ...created, status: { phase: 'Bound', capacity: requests } })
}

export interface SnapshotSeed {
  name: string
  phase?: 'Succeeded' | 'Failed' | 'InProgress' | 'Deleting' | 'Unknown'
  readyToUse?: boolean
  error?: string
  indications?: readonly Indication[]
  achieved?: Receipt['achieved']
  frozenMs?: number
  sourceUID?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  conditions?: Condition[]
  excluded?: string[]
  /** Minutes before now the data was fixed. */
  minutesAgo?: number
}

/** A snapshot of a running guest that was frozen for it. */
export const good = {
  phase: 'Succeeded',
  achieved: 'Application',
  frozenMs: 412,
  indications: ['GuestAgent', 'Online'],
} as const satisfies Partial<SnapshotSeed>

/** A snapshot of a VM in the state given. Without a phase, nobody has looked at it yet. */
export async function seedSnapshot(
  client: KubeClient,
  vm: VirtualMachine,
  seed: SnapshotSeed,
): Promise<VirtualMachineSnapshot> {
  const { name, phase, indications = [], excluded = [], minutesAgo = 60 } = seed
  const at = new Date(Date.now() - minutesAgo * 60_000).toISOString()
  const created = await client.create(
    VirtualMachineSnapshot,
    objectOf(
      VirtualMachineSnapshot,
      {
        name,
        namespace: vm.metadata.namespace ?? namespace,
        labels: seed.labels ?? {},
        annotations: seed.annotations ?? {},
      },
      { spec: { source: vmRef(vm.metadata.name) }, status: undefined },
    ),
  )
  if (phase === undefined) return created
  const sourceUID = seed.sourceUID ?? vm.metadata.uid ?? ''
  const readyToUse = seed.readyToUse ?? phase === 'Succeeded'
  const contentName = `vmsnapshot-content-${created.metadata.uid}`
  const receipt: Receipt = {
    version: 1,
    snapshotUID: created.metadata.uid ?? '',
    sourceUID,
    outcome: phase === 'Failed' ? 'Failed' : 'Succeeded',
    ...(seed.error === undefined ? {} : { reason: seed.error }),
    requested: 'Preferred',
    ...(seed.achieved === undefined ? {} : { achieved: seed.achieved }),
    guest: seed.achieved === 'Offline' ? 'offline' : indications.includes('NoGuestAgent') ? 'no-agent' : 'agent',
    attempts: 1,
    ...(seed.frozenMs === undefined
      ? {}
      : {
          freeze: {
            asked: at,
            began: at,
            cut: new Date(Date.parse(at) + seed.frozenMs / 2).toISOString(),
            thawed: new Date(Date.parse(at) + seed.frozenMs).toISOString(),
            frozenMs: seed.frozenMs,
            held: !indications.includes('QuiesceTimeout'),
          },
        }),
    volumes: [
      { name: 'root', volumeSnapshotName: `vmsnapshot-${created.metadata.uid}-volume-root`, cut: at, precisionMs: 1 },
    ],
  }
  const finished = phase === 'Succeeded' || phase === 'Failed'
  const snapshot = await client.updateStatus(VirtualMachineSnapshot, {
    ...(finished
      ? await client.patch(VirtualMachineSnapshot, created.metadata as { name: string; namespace: string }, {
          metadata: { annotations: { [receiptAnnotation]: JSON.stringify(receipt) } },
        })
      : created),
    status: {
      phase,
      readyToUse,
      sourceUID,
      virtualMachineSnapshotContentName: contentName,
      creationTime: at,
      indications: [...indications],
      sourceIndications: indications.map((indication) => ({ indication, message: indicationMessages[indication] })),
      snapshotVolumes: { includedVolumes: ['root'], excludedVolumes: excluded },
      ...(seed.error === undefined ? {} : { error: { time: at, message: seed.error } }),
      conditions: seed.conditions ?? [
        {
          type: 'Progressing',
          status: finished ? 'False' : 'True',
          reason: finished ? 'Operation complete' : 'Source locked and operation in progress',
          lastTransitionTime: at,
        },
        {
          type: 'Ready',
          status: readyToUse ? 'True' : 'False',
          reason: readyToUse ? 'Operation complete' : 'Not ready',
          lastTransitionTime: at,
        },
        ...(seed.error === undefined
          ? []
          : [
              {
                type: 'Failure',
                status: 'True' as const,
                reason: 'Error',
                message: seed.error,
                lastTransitionTime: at,
              },
            ]),
      ],
    },
  })
  const content = await client.create(
    VirtualMachineSnapshotContent,
    objectOf(
      VirtualMachineSnapshotContent,
      {
        name: contentName,
        namespace: vm.metadata.namespace ?? namespace,
        ...(phase === 'InProgress'
          ? {
              annotations: {
                [freezeReportAnnotation]: JSON.stringify({ attempt: 1, guest: 'agent', asked: at, frozen: at }),
              },
            }
          : {}),
      },
      {
        spec: {
          virtualMachineSnapshotName: name,
          source: { virtualMachine: { metadata: { name: vm.metadata.name }, spec: vm.spec } },
          volumeBackups: [
            {
              volumeName: 'root',
              persistentVolumeClaim: {
                metadata: { name: `${vm.metadata.name}-root` },
                spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
              },
              volumeSnapshotName: `vmsnapshot-${created.metadata.uid}-volume-root`,
            },
          ],
        },
        status: undefined,
      },
    ),
  )
  await client.updateStatus(VirtualMachineSnapshotContent, { ...content, status: { readyToUse, creationTime: at } })
  return snapshot
}

export interface RestoreSeed {
  name: string
  snapshot: string
  state: 'waiting' | 'working' | 'failed' | 'complete'
  /** In place of the usual one of its state. */
  reason?: string
  message?: string
  minutesAgo?: number
  annotations?: Record<string, string>
  spec?: Partial<VirtualMachineRestore['spec']>
  volumes?: NonNullable<NonNullable<VirtualMachineRestore['status']>['restores']>
}

/** A restore in the state given. */
export async function seedRestore(
  client: KubeClient,
  vm: VirtualMachine,
  seed: RestoreSeed,
): Promise<VirtualMachineRestore> {
  const created = await client.create(
    VirtualMachineRestore,
    objectOf(
      VirtualMachineRestore,
      { name: seed.name, namespace: vm.metadata.namespace ?? namespace, annotations: seed.annotations ?? {} },
      {
        spec: {
          target: vmRef(vm.metadata.name),
          virtualMachineSnapshotName: seed.snapshot,
          targetReadinessPolicy: 'WaitEventually',
          ...seed.spec,
        },
        status: undefined,
      },
    ),
  )
  const at = new Date(Date.now() - (seed.minutesAgo ?? 1) * 60_000).toISOString()
  const condition = (type: string, on: boolean, reason: string): Condition => ({
    type,
    status: on ? 'True' : 'False',
    reason,
    ...(seed.message === undefined ? {} : { message: seed.message }),
    lastTransitionTime: at,
  })
  const complete = seed.state === 'complete'
  const usual = {
    waiting: 'Waiting for target VM to be powered off. Please stop the restore target to proceed with restore',
    working: 'Creating new PVCs',
    failed: 'Restore failed',
    complete: 'Operation complete',
  }
  const reason = seed.reason ?? usual[seed.state]
  return client.updateStatus(VirtualMachineRestore, {
    ...created,
    status: {
      complete,
      ...(complete ? { restoreTime: at } : {}),
      ...(seed.volumes === undefined ? {} : { restores: seed.volumes }),
      conditions: [
        condition('Progressing', seed.state === 'waiting' || seed.state === 'working', reason),
        condition('Ready', complete, reason),
        ...(seed.state === 'failed' ? [condition('Failure', true, reason)] : []),
      ],
    },
  })
}
