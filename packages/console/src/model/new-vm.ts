import { claimOf, VirtualMachine, type Volume } from '@stillpoint/api/kubevirt/kinds'
import { formatBytes, parseQuantity } from '@stillpoint/api/meta/quantity'
import { objectOf } from '@stillpoint/api/schema/resource'
import type { DataVolumeSpec } from '@stillpoint/api/storage/cdi'
import type { FieldProblem } from './edited-object.ts'
import { bytes } from './format.ts'
import { whyNotName } from './names.ts'

export type SizeUnit = 'Mi' | 'Gi' | 'Ti'

/** A size as it is typed. */
export interface Size {
  text: string
  unit: SizeUnit
}

export const diskSources = ['image', 'blank', 'snapshot', 'claim'] as const
export type DiskSource = (typeof diskSources)[number]

/** What the form for a new VM holds. */
export interface NewVm {
  name: string
  cores: string
  memory: Size
  source: DiskSource
  /** Of `image`. */
  url: string
  /** Of `snapshot`; its smallest size where it tells one. */
  snapshot?: { namespace: string; name: string; restoreBytes?: number | undefined } | undefined
  /** Of `claim`: the name of one. */
  claim: string
  /** Of the disk that is made; a claim has its own. */
  size: Size
  userData: string
  start: boolean
}

export const newVm: NewVm = {
  name: '',
  cores: '1',
  memory: { text: '2', unit: 'Gi' },
  source: 'image',
  url: '',
  claim: '',
  size: { text: '10', unit: 'Gi' },
  userData: '',
  start: true,
}

export type NewVmField = 'name' | 'cores' | 'memory' | 'url' | 'snapshot' | 'claim' | 'size' | 'userData'
export type NewVmProblems = Partial<Record<NewVmField, string>>

/** cloud-init data that is longer belongs into a Secret. */
const userDataLimitBytes = 2_048

/** What is wrong with what the form holds, field by field. */
export function newVmProblems(form: NewVm, vmNames: ReadonlySet<string>): NewVmProblems {
  const { name, cores, memory, source, url, snapshot, claim, size, userData } = form
  const count = /^\d{1,3}$/.test(cores.trim()) ? Number(cores) : 0
  const problems: Record<NewVmField, string | undefined> = {
    name: whyNotName(name, vmNames),
    cores: count >= 1 && count <= 255 ? undefined : 'A whole number from 1 to 255',
    memory: sizeProblem(memory),
    url: source === 'image' ? urlProblem(url.trim()) : undefined,
    snapshot: source === 'snapshot' && snapshot === undefined ? 'Choose a snapshot' : undefined,
    claim: source === 'claim' && claim === '' ? 'Choose a claim' : undefined,
    size: source === 'claim' ? undefined : (sizeProblem(size) ?? tooSmall(form)),
    userData:
      new TextEncoder().encode(userData).length > userDataLimitBytes
        ? `At most ${userDataLimitBytes} bytes; put more into a Secret, and name that in the YAML`
        : undefined,
  }
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem !== undefined)) as NewVmProblems
}

function sizeProblem(size: Size): string | undefined {
  return sizeBytes(size) === undefined ? 'A number greater than 0, such as 10 or 1.5' : undefined
}

/** Undefined when it is no size. */
function sizeBytes({ text, unit }: Size): number | undefined {
  const trimmed = text.trim()
  const count = /^\d{1,12}(\.\d{1,3})?$/.test(trimmed) ? parseQuantity(`${trimmed}${unit}`) : undefined
  return count === undefined || count < 1 ? undefined : Math.round(count)
}

function urlProblem(url: string): string | undefined {
  if (url === '') return 'An address is required'
  if (!URL.canParse(url)) return 'No address: it begins with https://, http:// or file:///'
  return ['http:', 'https:', 'file:'].includes(new URL(url).protocol)
    ? undefined
    : 'Only https, http and file can be read'
}

function tooSmall({ source, snapshot, size }: NewVm): string | undefined {
  const least = source === 'snapshot' ? snapshot?.restoreBytes : undefined
  if (least === undefined || (sizeBytes(size) ?? 0) >= least) return undefined
  return `At least as large as the snapshot: ${bytes(least)}`
}

/** The size of a disk that holds this many bytes, as the form shows it. */
export function sizeOf(count: number): Size {
  const [, text = '', unit = 'Mi'] = /^(\d+)(Ti|Gi|Mi)$/.exec(formatBytes(Math.ceil(count / 2 ** 20) * 2 ** 20)) ?? []
  return { text, unit: unit as SizeUnit }
}

function quantityOf(size: Size): string {
  return formatBytes(sizeBytes(size) ?? 0)
}

/** The VM that a form without problems stands for. */
export function newVmObject(form: NewVm, namespace: string): VirtualMachine {
  const { name, cores, memory, userData, start } = form
  const root = rootOf(form)
  const withUserData = userData.trim() !== ''
  return objectOf(
    VirtualMachine,
    { name, namespace },
    {
      spec: {
        runStrategy: start ? 'Always' : 'Halted',
        ...(root.template === undefined
          ? {}
          : { dataVolumeTemplates: [{ metadata: { name: `${name}-root` }, spec: root.template }] }),
        template: {
          spec: {
            domain: {
              cpu: { cores: Number(cores) },
              memory: { guest: quantityOf(memory) },
              devices: {
                disks: [
                  { name: 'root', bootOrder: 1, disk: { bus: 'virtio' } },
                  ...(withUserData ? [{ name: 'cloudinit', disk: { bus: 'virtio' } }] : []),
                ],
                interfaces: [{ name: 'default', masquerade: {} }],
                rng: {},
              },
            },
            networks: [{ name: 'default', pod: {} }],
            volumes: [root.volume, ...(withUserData ? [{ name: 'cloudinit', cloudInitNoCloud: { userData } }] : [])],
          },
        },
      },
    },
  )
}

function rootOf(form: NewVm): { volume: Volume; template?: DataVolumeSpec } {
  if (form.source === 'claim') return { volume: { name: 'root', persistentVolumeClaim: { claimName: form.claim } } }
  const storage = { resources: { requests: { storage: quantityOf(form.size) } } }
  return {
    volume: { name: 'root', dataVolume: { name: `${form.name}-root` } },
    template: { source: sourceOf(form), storage },
  }
}

function sourceOf({ source, url, snapshot }: NewVm): NonNullable<DataVolumeSpec['source']> {
  if (source === 'image') return { http: { url: url.trim() } }
  if (source === 'snapshot' && snapshot) return { snapshot: { namespace: snapshot.namespace, name: snapshot.name } }
  return { blank: {} }
}

/** A VM to begin with where it is written as text: that of the form, with something in each place. */
export function exampleVm(form: NewVm, namespace: string): VirtualMachine {
  const complete = {
    ...form,
    name: form.name || 'my-vm',
    url: form.url || 'https://example.com/disk.qcow2',
    claim: form.claim || 'my-claim',
    userData: form.userData || '#cloud-config\n',
  }
  const usable = newVmProblems(complete, new Set())
  return newVmObject(
    {
      ...complete,
      cores: usable.cores === undefined ? form.cores : newVm.cores,
      memory: usable.memory === undefined ? form.memory : newVm.memory,
      size: usable.size === undefined ? form.size : newVm.size,
    },
    namespace,
  )
}

const fieldPatterns: readonly [RegExp, NewVmField][] = [
  [/^metadata\.(?:name|generateName)/i, 'name'],
  [/\.domain\.cpu/i, 'cores'],
  [/\.domain\.(?:memory|resources)/i, 'memory'],
  [/dataVolumeTemplates.*\.source\.http/i, 'url'],
  [/dataVolumeTemplates.*\.source\.snapshot/i, 'snapshot'],
  [/dataVolumeTemplates.*\.(?:storage|resources)/i, 'size'],
  [/cloudInit/i, 'userData'],
  [/persistentVolumeClaim/i, 'claim'],
]

/** What the API says of an object, at the fields of the form; `rest` is about none of them. */
export function atFormFields(problems: readonly FieldProblem[]): { fields: NewVmProblems; rest: string[] } {
  const fields: NewVmProblems = {}
  const rest: string[] = []
  for (const { field, message } of problems) {
    const found = fieldPatterns.find(([pattern]) => field !== undefined && pattern.test(field))
    if (found) fields[found[1]] ??= message
    else rest.push(field === undefined || message.includes(field) ? message : `${field}: ${message}`)
  }
  return { fields, rest }
}

/** Which VM uses each claim of a namespace: two must not write to one disk. */
export function claimUsers(vms: readonly VirtualMachine[]): ReadonlyMap<string, string> {
  return new Map(
    vms.flatMap(({ metadata, spec }) =>
      (spec.template.spec.volumes ?? []).flatMap((volume) => {
        const claim = claimOf(volume)
        return claim === undefined ? [] : [[claim, metadata.name] as const]
      }),
    ),
  )
}
