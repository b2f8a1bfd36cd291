import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { consistencyShown } from './consistency.ts'
import { elapsedMs } from './format.ts'
import { perObject } from './per-object.ts'
import { originOf } from './snapshot-origin.ts'
import { filterStatusOf } from './snapshot-status.ts'

// What a list of snapshots is narrowed down to, and how that stands in the address of the page.

const several = ['status', 'label', 'consistency', 'origin', 'vm', 'namespace'] as const
const single = ['name', 'age'] as const
type Several = (typeof several)[number]
type Single = (typeof single)[number]

/** Empty values narrow nothing down. Of several values one must fit, of labels all. */
export type SnapshotFilters = Readonly<Record<Several, readonly string[]> & Record<Single, string>>

export const statusFilters = ['Failed', 'InProgress', 'Succeeded'] as const

export const consistencyFilters = ['Application-consistent', 'Crash-consistent', 'Offline', 'Incomplete'] as const

/** Younger or older than so many hours. */
export const ageFilters: Readonly<Record<string, { label: string; youngerHours?: number; olderHours?: number }>> = {
  day: { label: 'Last 24 hours', youngerHours: 24 },
  week: { label: 'Last 7 days', youngerHours: 7 * 24 },
  'over-month': { label: 'Older than 30 days', olderHours: 30 * 24 },
  'over-year': { label: 'Older than a year', olderHours: 365 * 24 },
}

/** The filters in an address. */
export function filtersIn(params: URLSearchParams): SnapshotFilters {
  const all = (key: Several): readonly string[] => params.getAll(key).filter((value) => value !== '')
  return {
    status: all('status'),
    label: all('label'),
    consistency: all('consistency'),
    origin: all('origin'),
    vm: all('vm'),
    namespace: all('namespace'),
    name: params.get('name') ?? '',
    age: params.get('age') ?? '',
  }
}

/** Writes filters into an address; what else stands in it stays. */
export function putFilters(params: URLSearchParams, filters: Partial<SnapshotFilters>): void {
  for (const [key, value] of Object.entries(filters)) {
    params.delete(key)
    for (const each of typeof value === 'string' ? [value] : value) if (each !== '') params.append(key, each)
  }
}

/** Takes all filters out of an address. */
export function clearFilters(params: URLSearchParams): void {
  for (const key of [...several, ...single]) params.delete(key)
}

export function isFiltered(filters: SnapshotFilters): boolean {
  return several.some((key) => filters[key].length > 0) || single.some((key) => filters[key] !== '')
}

/** Whether the VM of a snapshot is there; undefined while that is not known. */
export type VmThere = (snapshot: VirtualMachineSnapshot) => boolean | undefined

/** The snapshots that pass, in their order. */
export function filterSnapshots(
  snapshots: readonly VirtualMachineSnapshot[],
  filters: SnapshotFilters,
  { now, vmThere = () => undefined }: { now: Date; vmThere?: VmThere },
): readonly VirtualMachineSnapshot[] {
  const tests = [...testsOf(filters, now, vmThere)]
  if (tests.length === 0) return snapshots
  return snapshots.filter((snapshot) => tests.every((test) => test(snapshot)))
}

type Test = (snapshot: VirtualMachineSnapshot) => boolean

/** The cheap ones first: they are asked of thousands with every key that is typed. */
function* testsOf(filters: SnapshotFilters, now: Date, vmThere: VmThere): Generator<Test> {
  const name = filters.name.trim().toLowerCase()
  if (name !== '') yield ({ metadata }) => metadata.name.includes(name)
  const { namespace, status, label, origin, age, vm, consistency } = filters
  if (namespace.length > 0) yield ({ metadata }) => namespace.includes(metadata.namespace ?? '')
  if (status.length > 0) yield (snapshot) => status.includes(filterStatusOf(snapshot) ?? '')
  for (const text of label) yield ({ metadata }) => hasLabel(metadata.labels ?? {}, text)
  if (origin.length > 0) yield (snapshot) => origin.includes(originOf(snapshot) ?? 'unknown')
  const range = Object.hasOwn(ageFilters, age) ? ageFilters[age] : undefined
  if (range !== undefined) yield ({ metadata }) => isWithin(elapsedMs(metadata.creationTimestamp, now), range)
  if (vm.length > 0)
    yield (snapshot) => {
      const there = vmThere(snapshot)
      return there !== undefined && vm.includes(there ? 'there' : 'gone')
    }
  if (consistency.length > 0) yield (snapshot) => consistency.includes(consistencyLabel(snapshot))
}

const consistencyLabel = perObject((snapshot: VirtualMachineSnapshot): string => consistencyShown(snapshot).label)

const hourMs = 3_600_000

function isWithin(ageMs: number | undefined, range: { youngerHours?: number; olderHours?: number }): boolean {
  const hours = (ageMs ?? 0) / hourMs
  return hours <= (range.youngerHours ?? Number.POSITIVE_INFINITY) && hours >= (range.olderHours ?? 0)
}

/** `key=value` is a label itself; a text without `=` is looked for in all of them. */
function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? []
  if (key !== undefined) return labels[key.trim()] === value?.trim()
  return Object.entries(labels).some(([each, of]) => `${each}=${of}`.includes(text))
}
