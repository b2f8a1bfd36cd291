import * as z from 'zod'
import { conditions, looseObject, quantity, stringMap, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { dataVolumeSpec } from '../storage/cdi.ts'

// kubevirt.io/v1: what we read is modelled, the rest is carried untouched, because a snapshot must give back
// the very spec it took. Spec vm-runtime (a).

export const runStrategies = ['Always', 'Halted', 'Manual', 'RerunOnFailure', 'Once'] as const
export type RunStrategy = (typeof runStrategies)[number]

const named = (what: string) => z.looseObject({ name: z.string().describe(`Name of the ${what}.`) })
const hotpluggable = z.boolean().optional().describe('True when the volume was attached to a running guest.')

const volume = z.looseObject({
  name: z.string().describe('Name of the volume; a disk of the same name shows it to the guest.'),
  persistentVolumeClaim: z
    .looseObject({
      claimName: z.string().describe('Name of the claim.'),
      readOnly: z.boolean().optional().describe('If true, the guest cannot write to it.'),
      hotpluggable,
    })
    .optional()
    .describe('A claim of the same namespace.'),
  dataVolume: z
    .looseObject({ name: z.string().describe('Name of the DataVolume, and of its claim.'), hotpluggable })
    .optional()
    .describe('The claim of a DataVolume of the same namespace.'),
  cloudInitNoCloud: z
    .looseObject({
      userData: z.string().optional().describe('cloud-init user data as text.'),
      userDataBase64: z.string().optional().describe('cloud-init user data in base64.'),
      secretRef: named('Secret').optional().describe('A Secret with the user data under the key userdata.'),
      networkData: z.string().optional().describe('cloud-init network data as text.'),
      networkDataBase64: z.string().optional().describe('cloud-init network data in base64.'),
      networkDataSecretRef: named('Secret')
        .optional()
        .describe('A Secret with the network data under the key networkdata.'),
    })
    .optional()
    .describe('A small disk with cloud-init data, made at each start. Not part of snapshots.'),
  memoryDump: z
    .looseObject({ claimName: z.string().describe('Name of the claim.') })
    .optional()
    .describe('A claim that holds a dump of the memory of the guest.'),
})
export type Volume = z.output<typeof volume>

const diskTarget = z.looseObject({
  bus: z.string().optional().describe('virtio, sata (default), scsi or usb.'),
  readonly: z.boolean().optional().describe('If true, the guest cannot write to it.'),
})
const disk = z.looseObject({
  name: z.string().describe('Name of the volume that is shown to the guest.'),
  disk: diskTarget.optional().describe('Shown as a hard disk; what a disk without a target is.'),
  cdrom: diskTarget.optional().describe('Shown as a CD drive.'),
  lun: diskTarget.optional().describe('Shown as a SCSI device that is passed through.'),
  bootOrder: z
    .int()
    .min(1)
    .optional()
    .describe('Place in the boot order, 1 first. Once one disk has a place, disks without are not booted.'),
  serial: z.string().optional().describe('Serial number the guest sees.'),
  cache: z.string().optional().describe('How the host caches: none, writethrough or writeback.'),
  io: z.string().optional().describe('How the host does I/O: native or threads.'),
})
export type Disk = z.output<typeof disk>

const networkInterface = z.looseObject({
  name: z.string().describe('Name of the network it is connected to.'),
  macAddress: z.string().optional().describe('MAC address, as de:ad:00:00:be:af.'),
  model: z.string().optional().describe('Model of the network card. Default virtio.'),
  masquerade: looseObject.optional().describe('The guest reaches out through address translation.'),
  bridge: looseObject.optional().describe('The guest is connected by a bridge.'),
  ports: z
    .array(
      z.looseObject({
        port: z.int().describe('Port number in the guest.'),
        protocol: z.string().optional().describe('TCP (default) or UDP.'),
        name: z.string().optional().describe('Name of the port.'),
      }),
    )
    .optional()
    .describe('Ports of the guest that can be reached from outside.'),
})
const network = z.looseObject({
  name: z.string().describe('Name of the network, to which interfaces refer.'),
  pod: looseObject.optional().describe('The default network.'),
  multus: looseObject.optional().describe('A further network.'),
})

export const vmiSpec = z.looseObject({
  domain: z
    .looseObject({
      cpu: z
        .looseObject({
          cores: z.int().min(0).optional().describe('Cores per socket. Default 1.'),
          sockets: z.int().min(0).optional().describe('Sockets. Default 1.'),
          threads: z.int().min(0).optional().describe('Threads per core. Default 1.'),
          model: z.string().optional().describe('Processor model the guest sees.'),
        })
        .optional()
        .describe('Processors of the guest: sockets x cores x threads.'),
      memory: z
        .looseObject({ guest: quantity.optional().describe('Memory the guest sees, such as 2Gi.') })
        .optional()
        .describe('Memory of the guest.'),
      resources: z
        .looseObject({
          requests: z.record(z.string(), quantity).optional().describe('What is set aside for the guest.'),
          limits: z.record(z.string(), quantity).optional().describe('What the guest may use at most.'),
        })
        .optional()
        .describe('Resources of the host. memory counts as memory of the guest where that is not given.'),
      machine: z
        .looseObject({ type: z.string().optional().describe('Machine type. Default q35.') })
        .optional()
        .describe('The kind of computer the guest sees.'),
      firmware: z
        .looseObject({
          uuid: z.string().optional().describe('UUID the guest sees; given at creation when missing.'),
          serial: z.string().optional().describe('Serial number the guest sees; given at creation when missing.'),
        })
        .optional()
        .describe('Firmware of the guest and what it reports.'),
      devices: z
        .looseObject({
          disks: z.array(disk).optional().describe('How volumes are shown to the guest.'),
          interfaces: z.array(networkInterface).optional().describe('Network cards of the guest.'),
          rng: looseObject.optional().describe('Gives the guest random numbers of the host.'),
          tpm: z
            .looseObject({
              persistent: z.boolean().optional().describe('If true, its content is kept over restarts.'),
            })
            .optional()
            .describe('Gives the guest a trusted platform module.'),
          autoattachPodInterface: z
            .boolean()
            .optional()
            .describe('If false, a guest without interfaces gets no default one.'),
          autoattachSerialConsole: z.boolean().optional().describe('If false, the guest has no serial console.'),
          logSerialConsole: z.boolean().optional().describe('If true, a log of the serial console is asked for.'),
        })
        .describe('Devices of the guest.'),
    })
    .describe('The computer the guest sees.'),
  volumes: z.array(volume).optional().describe('Storage of the guest; claims among it are what snapshots take.'),
  networks: z.array(network).optional().describe('Networks the interfaces are connected to.'),
  terminationGracePeriodSeconds: z
    .int()
    .optional()
    .describe('Seconds the guest has to shut down before it is switched off.'),
  startStrategy: z.string().optional().describe('Paused: the guest is started and held before its first instruction.'),
  hostname: z.string().optional().describe('Host name of the guest. Default: the name of the virtual machine.'),
  architecture: z.string().optional().describe('Processor architecture. Default amd64.'),
})
export type VirtualMachineInstanceSpec = z.output<typeof vmiSpec>

const matcher = z.looseObject({
  kind: z.string().optional().describe('Kind of the object.'),
  name: z.string().optional().describe('Name of the object.'),
  revisionName: z.string().optional().describe('The ControllerRevision that keeps the state in use.'),
})

const templateMetadata = {
  labels: stringMap.optional().describe('Labels to give.'),
  annotations: stringMap.optional().describe('Annotations to give.'),
}

export const vmSpec = z.looseObject({
  running: z.boolean().optional().describe('Deprecated: use runStrategy. True is Always, false is Halted.'),
  runStrategy: z
    .string()
    .optional()
    .describe(
      'When the machine is to run. Always: started again whenever it ends. RerunOnFailure: started again when it ' +
        'failed. Once: not started again. Manual: started and stopped by request only. Halted: not running.',
    ),
  template: z
    .looseObject({
      metadata: z.looseObject(templateMetadata).optional().describe('Labels and annotations of the instance.'),
      spec: vmiSpec.describe('What the instance looks like.'),
    })
    .describe('What is started: the VirtualMachineInstance to be.'),
  dataVolumeTemplates: z
    .array(
      z.looseObject({
        metadata: z
          .looseObject({ name: z.string().describe('Name of the DataVolume and its claim.'), ...templateMetadata })
          .describe('Name, labels and annotations of the DataVolume.'),
        spec: dataVolumeSpec.describe('Size of the volume and what fills it.'),
      }),
    )
    .optional()
    .describe('DataVolumes that are created with the machine and deleted with it.'),
  instancetype: matcher.optional().describe('Where processors and memory are taken from.'),
  preference: matcher.optional().describe('Where preferred device settings are taken from.'),
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
  action: z.enum(['Start', 'Stop']).describe('What was asked for.'),
  data: stringMap.optional().describe('Options of the request.'),
  uid: z.string().optional().describe('UID of the instance that is to stop.'),
})

export const VirtualMachine = resource({
  ...group,
  kind: 'VirtualMachine',
  plural: 'virtualmachines',
  shortNames: ['vm', 'vms'],
  description: 'A virtual machine, running or not.',
  fields: {
    spec: vmSpec.describe('Desired state.'),
    status: z
      .looseObject({
        created: z.boolean().optional().describe('True while there is an instance.'),
        ready: z.boolean().optional().describe('True while the instance runs and is ready.'),
        printableStatus: z
          .string()
          .default('Stopped')
          .describe('One word for people: Stopped, Provisioning, Starting, Running, Paused, Stopping and others.'),
        runStrategy: z.string().optional().describe('The run strategy in force.'),
        conditions: conditions.optional().describe('Conditions, such as Ready and AgentConnected.'),
        stateChangeRequests: z.array(stateChangeRequest).optional().describe('Starts and stops still to be done.'),
        snapshotInProgress: z
          .string()
          .optional()
          .describe('The snapshot that is being taken; volumes and run state cannot be changed meanwhile.'),
        restoreInProgress: z
          .string()
          .optional()
          .describe('The restore that is being done; the run strategy cannot be changed meanwhile.'),
        volumeSnapshotStatuses: z
          .array(
            z.object({
              name: z.string().describe('Name of the volume.'),
              enabled: z.boolean().describe('Whether snapshots include it.'),
              reason: z.string().optional().describe('Why not.'),
            }),
          )
          .optional()
          .describe('Which volumes snapshots can include.'),
        memoryDumpRequest: looseObject.optional().describe('The memory dump that was asked for, and how far it is.'),
        startFailure: z
          .object({
            consecutiveFailCount: z.int().optional().describe('Failed starts in a row.'),
            lastFailedVMIUID: z.string().optional().describe('UID of the instance that failed last.'),
            retryAfterTimestamp: time.nullable().optional().describe('When the next start is tried.'),
          })
          .optional()
          .describe('Present after a failed start.'),
        observedGeneration: z.int().optional().describe('The generation the status speaks of.'),
        desiredGeneration: z.int().optional().describe('The generation that is wanted.'),
      })
      .optional()
      .describe('Observed state.'),
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
    spec: vmiSpec.describe('What runs. Cannot be updated.'),
    status: z
      .looseObject({
        phase: z.string().optional().describe('Pending, Scheduling, Scheduled, Running, Succeeded, Failed or Unknown.'),
        phaseTransitionTimestamps: z
          .array(
            z.object({
              phase: z.string().describe('The phase.'),
              phaseTransitionTimestamp: time.describe('When it began.'),
            }),
          )
          .optional()
          .describe('When each phase began.'),
        conditions: conditions.optional().describe('Conditions, such as Ready and AgentConnected.'),
        interfaces: z.array(looseObject).optional().describe('Network cards and their addresses.'),
        guestOSInfo: looseObject.optional().describe('The operating system, as the guest agent reports it.'),
        nodeName: z.string().optional().describe('Where it runs.'),
        fsFreezeStatus: z.string().optional().describe('"frozen" while the file systems of the guest are frozen.'),
        reason: z.string().optional().describe('One word why it is in this state.'),
        volumeStatus: z
          .array(
            z.looseObject({
              name: z.string().describe('Name of the volume.'),
              target: z.string().optional().describe('Name of the device in the guest.'),
            }),
          )
          .optional()
          .describe('Volumes in use.'),
        virtualMachineRevisionName: z
          .string()
          .optional()
          .describe('The ControllerRevision with the definition that was started.'),
        activePods: z.record(z.string(), z.string()).optional().describe('Pods of the instance; on a cluster only.'),
        machine: z
          .looseObject({ type: z.string().optional().describe('Machine type in use.') })
          .optional()
          .describe('The kind of computer the guest sees.'),
      })
      .optional()
      .describe('Observed state.'),
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
