import * as z from 'zod'
import { conditions, looseObject, quantity, stringMap, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { dataVolumeSpec } from '../storage/cdi.ts'

// kubevirt.io/v1: what we read is modelled, the rest is carried untouched, because a snapshot must give back
// the very spec it took. Spec vm-runtime (a).

export const runStrategies = ['Always', 'Halted', 'Manual', 'RerunOnFailure', 'Once'] as const
export type RunStrategy = (typeof runStrategies)[number]

const volume = z.looseObject({
  name: z.string(),
  persistentVolumeClaim: z
    .looseObject({ claimName: z.string(), readOnly: z.boolean().optional(), hotpluggable: z.boolean().optional() })
    .optional(),
  dataVolume: z.looseObject({ name: z.string(), hotpluggable: z.boolean().optional() }).optional(),
  cloudInitNoCloud: z
    .looseObject({
      userData: z.string().optional(),
      userDataBase64: z.string().optional(),
      secretRef: z.looseObject({ name: z.string() }).optional(),
      networkData: z.string().optional(),
      networkDataBase64: z.string().optional(),
      networkDataSecretRef: z.looseObject({ name: z.string() }).optional(),
    })
    .optional(),
  memoryDump: z.looseObject({ claimName: z.string() }).optional(),
})
export type Volume = z.output<typeof volume>

const diskTarget = z.looseObject({ bus: z.string().optional(), readonly: z.boolean().optional() })
const disk = z.looseObject({
  name: z.string(),
  disk: diskTarget.optional(),
  cdrom: diskTarget.optional(),
  lun: diskTarget.optional(),
  bootOrder: z.int().min(1).optional(),
  serial: z.string().optional(),
  cache: z.string().optional(),
  io: z.string().optional(),
})
export type Disk = z.output<typeof disk>

const networkInterface = z.looseObject({
  name: z.string(),
  macAddress: z.string().optional(),
  model: z.string().optional(),
  masquerade: looseObject.optional(),
  bridge: looseObject.optional(),
  ports: z
    .array(z.looseObject({ port: z.int(), protocol: z.string().optional(), name: z.string().optional() }))
    .optional(),
})
const network = z.looseObject({ name: z.string(), pod: looseObject.optional(), multus: looseObject.optional() })

export const vmiSpec = z.looseObject({
  domain: z.looseObject({
    cpu: z
      .looseObject({
        cores: z.int().min(0).optional(),
        sockets: z.int().min(0).optional(),
        threads: z.int().min(0).optional(),
        model: z.string().optional(),
      })
      .optional(),
    memory: z.looseObject({ guest: quantity.optional() }).optional(),
    resources: z
      .looseObject({
        requests: z.record(z.string(), quantity).optional(),
        limits: z.record(z.string(), quantity).optional(),
      })
      .optional(),
    machine: z.looseObject({ type: z.string().optional() }).optional(),
    firmware: z.looseObject({ uuid: z.string().optional(), serial: z.string().optional() }).optional(),
    devices: z.looseObject({
      disks: z.array(disk).optional(),
      interfaces: z.array(networkInterface).optional(),
      rng: looseObject.optional(),
      tpm: z.looseObject({ persistent: z.boolean().optional() }).optional(),
      autoattachPodInterface: z.boolean().optional(),
      autoattachSerialConsole: z.boolean().optional(),
      logSerialConsole: z.boolean().optional(),
    }),
  }),
  volumes: z.array(volume).optional(),
  networks: z.array(network).optional(),
  terminationGracePeriodSeconds: z.int().optional(),
  startStrategy: z.string().optional(),
  hostname: z.string().optional(),
  architecture: z.string().optional(),
})
export type VirtualMachineInstanceSpec = z.output<typeof vmiSpec>

const matcher = z.looseObject({
  kind: z.string().optional(),
  name: z.string().optional(),
  revisionName: z.string().optional(),
})

export const vmSpec = z.looseObject({
  running: z.boolean().optional().describe('Deprecated: use runStrategy.'),
  runStrategy: z.string().optional().describe('Always, Halted, Manual, RerunOnFailure or Once.'),
  template: z.looseObject({
    metadata: z.looseObject({ labels: stringMap.optional(), annotations: stringMap.optional() }).optional(),
    spec: vmiSpec,
  }),
  dataVolumeTemplates: z
    .array(
      z.looseObject({
        metadata: z.looseObject({
          name: z.string(),
          labels: stringMap.optional(),
          annotations: stringMap.optional(),
        }),
        spec: dataVolumeSpec,
      }),
    )
    .optional(),
  instancetype: matcher.optional(),
  preference: matcher.optional(),
})
export type VirtualMachineSpec = z.output<typeof vmSpec>

const group = {
  group: 'kubevirt.io',
  version: 'v1',
  versions: [
    { name: 'v1' },
    {
      name: 'v1alpha3',
      deprecationWarning: 'kubevirt.io/v1alpha3 is now deprecated and will be removed in a future release.',
    },
  ],
  categories: ['all'],
}

const stateChangeRequest = z.object({
  action: z.enum(['Start', 'Stop']),
  data: stringMap.optional(),
  uid: z.string().optional(),
})

export const VirtualMachine = resource({
  ...group,
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  shortNames: ['vm', 'vms'],
  description: 'A virtual machine, running or not.',
  fields: {
    spec: vmSpec,
    status: z
      .looseObject({
        created: z.boolean().optional(),
        ready: z.boolean().optional(),
        printableStatus: z.string().default('Stopped'),
        runStrategy: z.string().optional(),
        conditions: conditions.optional(),
        stateChangeRequests: z.array(stateChangeRequest).optional(),
        snapshotInProgress: z.string().optional(),
        restoreInProgress: z.string().optional(),
        volumeSnapshotStatuses: z
          .array(z.object({ name: z.string(), enabled: z.boolean(), reason: z.string().optional() }))
          .optional(),
        memoryDumpRequest: looseObject.optional(),
        startFailure: z
          .object({
            consecutiveFailCount: z.int().optional(),
            lastFailedVMIUID: z.string().optional(),
            retryAfterTimestamp: time.nullable().optional(),
          })
          .optional(),
        observedGeneration: z.int().optional(),
        desiredGeneration: z.int().optional(),
      })
      .optional(),
  },
  columns: [
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Status', type: 'string', jsonPath: '.status.printableStatus' },
    { name: 'Ready', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
  ],
})
export type VirtualMachine = ObjectOf<typeof VirtualMachine>

export const vmiPhases = ['Pending', 'Scheduling', 'Scheduled', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const
export type VmiPhase = (typeof vmiPhases)[number]

export const VirtualMachineInstance = resource({
  ...group,
  kind: 'VirtualMachineInstance',
  plural: 'virtualmachineinstances',
  shortNames: ['vmi', 'vmis'],
  // Its status is written through the main resource, as in KubeVirt.
  statusSubresource: false,
  description: 'A running virtual machine.',
  fields: {
    spec: vmiSpec,
    status: z
      .looseObject({
        phase: z.string().optional(),
        phaseTransitionTimestamps: z.array(z.object({ phase: z.string(), phaseTransitionTimestamp: time })).optional(),
        conditions: conditions.optional(),
        interfaces: z.array(looseObject).optional(),
        guestOSInfo: looseObject.optional(),
        nodeName: z.string().optional(),
        fsFreezeStatus: z.string().optional(),
        reason: z.string().optional(),
        volumeStatus: z.array(z.looseObject({ name: z.string(), target: z.string().optional() })).optional(),
        virtualMachineRevisionName: z.string().optional(),
        activePods: z.record(z.string(), z.string()).optional(),
        machine: z.looseObject({ type: z.string().optional() }).optional(),
      })
      .optional(),
  },
  columns: [
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'IP', type: 'string', jsonPath: '.status.interfaces[0].ipAddress' },
    { name: 'NodeName', type: 'string', jsonPath: '.status.nodeName' },
    { name: 'Ready', type: 'string', jsonPath: ".status.conditions[?(@.type=='Ready')].status" },
    {
      name: 'Live-Migratable',
      type: 'string',
      jsonPath: ".status.conditions[?(@.type=='LiveMigratable')].status",
      priority: 1,
    },
    { name: 'Paused', type: 'string', jsonPath: ".status.conditions[?(@.type=='Paused')].status", priority: 1 },
  ],
})
export type VirtualMachineInstance = ObjectOf<typeof VirtualMachineInstance>

/** The strategy in force: `running` maps to Always and Halted. */
export function effectiveRunStrategy(spec: VirtualMachineSpec): RunStrategy {
  if (spec.running !== undefined) return spec.running ? 'Always' : 'Halted'
  return runStrategies.find((strategy) => strategy === spec.runStrategy) ?? 'Halted'
}

/** The claim behind a volume of a VM, if there is one. */
export function claimOf(volume: Volume): string | undefined {
  return volume.persistentVolumeClaim?.claimName ?? volume.dataVolume?.name ?? volume.memoryDump?.claimName
}
