import type { VirtualMachineSpec, Volume } from '@stillpoint/api/kubevirt/kinds'
import { sameJson } from '@stillpoint/api/snapshot/same-json'
import { kindOfVolume } from './disks.ts'

/** A part of a VM's definition that differs; without `from` or `to` that side has no short text. */
export interface SpecChange {
  part: string
  from?: string
  to?: string
}

interface Part {
  name: string
  value: unknown
  text?: string | undefined
}

/**
 * What differs between the definition a VM has now and another one, such as the one in a snapshot: whatever a restore
 * would change. Left out is what a restore leaves alone (the run state) and what it names anew (claims, DataVolumes).
 */
export function specChanges(now: VirtualMachineSpec, then: VirtualMachineSpec): SpecChange[] {
  const present = new Map(partsOf(now).map((part) => [part.name, part]))
  const other = new Map(partsOf(then).map((part) => [part.name, part]))
  const names = new Set([...present.keys(), ...other.keys()])
  return [...names].flatMap((name): SpecChange[] => {
    const [a, b] = [present.get(name), other.get(name)]
    // A VM without one is given one, and its guest sees the same before and after.
    if (name === uuidPart && (a === undefined || b === undefined)) return []
    if (sameJson(a?.value, b?.value)) return []
    return [{ part: name, ...textOf('from', a), ...textOf('to', b) }]
  })
}

const uuidPart = 'Firmware UUID'

function textOf(side: 'from' | 'to', part: Part | undefined): Partial<SpecChange> {
  if (part === undefined) return { [side]: 'none' }
  return part.text === undefined ? {} : { [side]: part.text }
}

function partsOf(spec: VirtualMachineSpec): Part[] {
  const { running: _, runStrategy: __, dataVolumeTemplates: ___, template, instancetype, preference, ...others } = spec
  const { domain, volumes, networks, ...instance } = template.spec
  const { cpu, memory, resources, devices, firmware, machine, ...hardware } = domain
  const { disks, interfaces, ...otherDevices } = devices
  const { uuid, ...otherFirmware } = firmware ?? {}
  return [
    ...part('Instance type', matcherOf(instancetype), instancetype?.name),
    ...part('Preference', matcherOf(preference), preference?.name),
    ...part('CPU', cpu, cpuText(spec)),
    ...part('Memory', [memory, resources], memoryText(spec)),
    ...part('Machine type', machine?.type, machine?.type),
    ...part(uuidPart, uuid, uuid),
    ...part('Firmware', otherFirmware),
    ...(volumes ?? []).flatMap((volume) => part(`Volume ${volume.name}`, sourceOf(volume), kindOf(volume))),
    ...(disks ?? []).flatMap((disk) => part(`Disk ${disk.name}`, disk, disk.disk?.bus)),
    ...(interfaces ?? []).flatMap((each) => part(`Network interface ${each.name}`, each, each.model)),
    ...(networks ?? []).flatMap((network) => part(`Network ${network.name}`, network)),
    ...part('Labels of the instance', template.metadata?.labels ?? {}),
    ...part('Annotations of the instance', template.metadata?.annotations ?? {}),
    ...membersOf('Device', otherDevices),
    ...membersOf('Hardware', hardware),
    ...membersOf('Setting', { ...instance, ...others }),
  ]
}

function part(name: string, value: unknown, text?: string): Part[] {
  return value === undefined ? [] : [{ name, value, text }]
}

function membersOf(what: string, members: Record<string, unknown>): Part[] {
  return Object.entries(members).flatMap(([name, value]) =>
    part(`${what} ${name}`, value, typeof value === 'object' ? undefined : String(value)),
  )
}

/** A restore keeps the instance type, but the revision that holds it gets a new name. */
function matcherOf(matcher: VirtualMachineSpec['instancetype']): unknown {
  return matcher && { kind: matcher.kind, name: matcher.name }
}

/** Without the name of the claim, which a restore changes; a claim is one, whoever made it. */
function sourceOf({ name: _, ...source }: Volume): unknown {
  const { persistentVolumeClaim, dataVolume, memoryDump: __, ...others } = source
  if (persistentVolumeClaim === undefined && dataVolume === undefined) return others
  return { claim: { hotpluggable: persistentVolumeClaim?.hotpluggable ?? dataVolume?.hotpluggable } }
}

function kindOf(volume: Volume): string {
  const kind = kindOfVolume(volume)
  return kind === 'persistentVolumeClaim' || kind === 'dataVolume' ? 'disk on a claim' : kind
}

/** `2 CPUs`: what the guest sees. */
export function cpuText({ template }: VirtualMachineSpec): string | undefined {
  const { cpu } = template.spec.domain
  if (cpu === undefined) return undefined
  const count = (cpu.sockets || 1) * (cpu.cores || 1) * (cpu.threads || 1)
  return `${count} CPU${count === 1 ? '' : 's'}${cpu.model === undefined ? '' : ` (${cpu.model})`}`
}

/** `2Gi`: the memory of the guest as it is written in the definition. */
export function memoryText({ template }: VirtualMachineSpec): string | undefined {
  const { memory, resources } = template.spec.domain
  const given = memory?.guest ?? resources?.requests?.memory
  return given === undefined ? undefined : String(given)
}
