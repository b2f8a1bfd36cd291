import { createHash } from 'node:crypto'
import { VirtualMachine, type VirtualMachineSpec, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { lastRestoreUidAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { type CapturedVm, markOf, type RestoreEntry, templateOf } from './restored-volumes.ts'

/** The captured definition standing on the restored disks: spec snapshot-restore (d.7), without run state. */
export function restoredSpec(
  { spec }: CapturedVm,
  entries: readonly RestoreEntry[],
  revisionNameOf: (captured: string) => string,
): VirtualMachineSpec {
  const { running: _, runStrategy: __, dataVolumeTemplates, ...rest } = spec
  const entryOf = new Map(entries.map((entry) => [entry.volumeName, entry]))
  const renamed = new Map<string, string>()
  const volumes = spec.template.spec.volumes
    ?.filter((volume) => volume.memoryDump === undefined)
    .map((volume): Volume => {
      const entry = entryOf.get(volume.name)
      if (entry === undefined) return volume
      const template = templateOf(spec, volume.name)
      if (template !== undefined && volume.dataVolume !== undefined) {
        const dataVolume = entry.dataVolumeName ?? entry.persistentVolumeClaim
        renamed.set(template.metadata.name, dataVolume)
        return { ...volume, dataVolume: { ...volume.dataVolume, name: dataVolume } }
      }
      const { dataVolume, persistentVolumeClaim, ...other } = volume
      const hotpluggable = dataVolume?.hotpluggable
      return {
        ...other,
        persistentVolumeClaim: {
          ...(hotpluggable === undefined ? {} : { hotpluggable }),
          ...persistentVolumeClaim,
          claimName: entry.persistentVolumeClaim,
        },
      }
    })
  const dropped = new Set(
    (spec.template.spec.volumes ?? []).filter(({ memoryDump }) => memoryDump).map((volume) => volume.name),
  )
  const { volumes: ___, ...templateSpec } = spec.template.spec
  const { disks, ...devices } = templateSpec.domain.devices
  const result: VirtualMachineSpec = {
    ...rest,
    ...(dataVolumeTemplates === undefined
      ? {}
      : {
          dataVolumeTemplates: dataVolumeTemplates.map((template) => ({
            ...template,
            metadata: { ...template.metadata, name: renamed.get(template.metadata.name) ?? template.metadata.name },
          })),
        }),
    template: {
      ...spec.template,
      spec: {
        ...templateSpec,
        domain: {
          ...templateSpec.domain,
          devices: {
            ...devices,
            ...(disks === undefined ? {} : { disks: disks.filter((disk) => !dropped.has(disk.name)) }),
          },
        },
        ...(volumes === undefined ? {} : { volumes }),
      },
    },
  }
  for (const key of ['instancetype', 'preference'] as const) {
    const matcher = spec[key]
    if (matcher?.revisionName) result[key] = { ...matcher, revisionName: revisionNameOf(matcher.revisionName) }
  }
  return result
}

/** The existing target with the restored definition; its name, its metadata and its run state stay. */
export function switchedTarget(
  target: VirtualMachine,
  restored: VirtualMachineSpec,
  { restore, captured }: { restore: VirtualMachineRestore; captured: CapturedVm },
): VirtualMachine {
  const { running, runStrategy } = target.spec
  const spec: VirtualMachineSpec = {
    ...restored,
    ...(running !== undefined ? { running } : runStrategy === undefined ? {} : { runStrategy }),
  }
  return {
    ...target,
    metadata: {
      ...target.metadata,
      annotations: { ...target.metadata.annotations, [lastRestoreUidAnnotation]: markOf(restore) },
    },
    spec: target.metadata.name === captured.name ? withFirmwareUuid(spec, captured.name) : spec,
  }
}

/** A VM that does not exist yet, stopped. */
export function newTarget(
  restored: VirtualMachineSpec,
  { restore, captured }: { restore: VirtualMachineRestore; captured: CapturedVm },
): VirtualMachine {
  const metadata = captured.metadata as { labels?: Record<string, string>; annotations?: Record<string, string> }
  return objectOf(
    VirtualMachine,
    {
      name: restore.spec.target.name,
      namespace: restore.metadata.namespace ?? '',
      // Also when there are none: a patch can add a label only to a map that is there.
      labels: { ...metadata.labels },
      annotations: { ...metadata.annotations, [lastRestoreUidAnnotation]: markOf(restore) },
    },
    {
      spec: {
        ...restored,
        ...(captured.spec.running === undefined ? { runStrategy: 'Halted' } : { running: false }),
      },
    },
  )
}

/** Guests know themselves by this number; without one it is derived from the name, here as at every start. */
function withFirmwareUuid(spec: VirtualMachineSpec, name: string): VirtualMachineSpec {
  const { domain } = spec.template.spec
  if (domain.firmware?.uuid) return spec
  return {
    ...spec,
    template: {
      ...spec.template,
      spec: {
        ...spec.template.spec,
        domain: { ...domain, firmware: { ...domain.firmware, uuid: firmwareUuid(name) } },
      },
    },
  }
}

const firmwareNamespace = '6a1a24a1-4061-4607-8bf4-a3963d0c5895'

/** The name-based UUID (RFC 4122, version 5) KubeVirt gives a VM. */
export function firmwareUuid(name: string): string {
  const hash = createHash('sha1')
    .update(Buffer.from(firmwareNamespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest()
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
