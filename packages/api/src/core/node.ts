import * as z from 'zod'
import { quantity, strings, time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { atomicList, setOf } from './lists.ts'
import { mergedConditions } from './object-meta.ts'

const quantities = z.record(z.string(), quantity)

const taint = z.object({
  key: z.string().describe('Key of the taint.'),
  value: z.string().optional().describe('Value of the taint.'),
  effect: z.string().describe('NoSchedule, PreferNoSchedule or NoExecute.'),
  timeAdded: time.optional().describe('When the taint was added.'),
})

const systemInfo = z.object({
  machineID: z.string().describe('Identifier of the machine in its operating system.'),
  systemUUID: z.string().describe('Identifier of the machine in its firmware.'),
  bootID: z.string().describe('Identifier of the current boot.'),
  kernelVersion: z.string().describe('Version of the kernel.'),
  osImage: z.string().describe('Name of the operating system.'),
  containerRuntimeVersion: z.string().describe('What runs workloads, with its version.'),
  kubeletVersion: z.string().describe('Version of the node agent.'),
  kubeProxyVersion: z.string().describe('Deprecated.'),
  operatingSystem: z.string().describe('Kind of operating system, such as linux.'),
  architecture: z.string().describe('Processor architecture, such as amd64.'),
})

export const Node = resource({
  group: '',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  scope: 'Cluster',
  origin: 'builtin',
  description: 'Node is a machine that runs workloads.',
  fields: {
    spec: z
      .object({
        podCIDR: z.string().optional().describe('Address range of the node.'),
        podCIDRs: setOf(z.string()).optional().describe('Address ranges of the node.'),
        providerID: z.string().optional().describe('Identifier of the node at its provider.'),
        unschedulable: z.boolean().optional().describe('If true, nothing new is placed on the node.'),
        taints: atomicList(taint).optional().describe('Taints of the node.'),
      })
      .optional()
      .describe('Desired behaviour of the node.'),
    status: z
      .object({
        capacity: quantities.optional().describe('Resources the node has.'),
        allocatable: quantities.optional().describe('Resources available to workloads.'),
        phase: z.string().optional().describe('Deprecated.'),
        conditions: mergedConditions.optional().describe('Observed state, such as Ready.'),
        // Patches merge by type although a node may have two addresses of one type: so the published API says.
        addresses: z
          .array(
            z.object({
              type: z.string().describe('Hostname, InternalIP or ExternalIP.'),
              address: z.string().describe('The address.'),
            }),
          )
          .meta({
            'x-kubernetes-list-type': 'atomic',
            'x-kubernetes-patch-strategy': 'merge',
            'x-kubernetes-patch-merge-key': 'type',
          })
          .optional()
          .describe('How the node can be reached.'),
        nodeInfo: systemInfo.optional().describe('What the node consists of.'),
        images: atomicList(
          z.object({
            names: strings.optional().describe('Names of the image.'),
            sizeBytes: z.int().optional().meta({ format: 'int64' }).describe('Size of the image.'),
          }),
        )
          .optional()
          .describe('Images present on the node.'),
        volumesInUse: atomicList(z.string()).optional().describe('Volumes in use.'),
        volumesAttached: atomicList(
          z.object({
            name: z.string().describe('Name of the volume.'),
            devicePath: z.string().describe('Path of its device.'),
          }),
        )
          .optional()
          .describe('Volumes attached.'),
        daemonEndpoints: z
          .object({
            kubeletEndpoint: z
              .object({ Port: z.int().meta({ format: 'int32' }).describe('Port number.') })
              .optional()
              .describe('Where the node agent listens.'),
          })
          .optional()
          .describe('Ports of services of the node.'),
      })
      .optional()
      .describe('Observed state of the node.'),
  },
})
export type Node = ObjectOf<typeof Node>
