import { compactLocalTime } from './format.ts'

/** Anything that has a name. */
export interface Named {
  metadata: { name: string }
}

const longestLabel = 63
const longestName = 253
const labelRule = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** The name proposed for a snapshot; `random` goes to its end where names could meet. */
export function defaultSnapshotName(vm: Named, now: Date, random?: string): string {
  const end = `-snapshot-${compactLocalTime(now)}${random === undefined ? '' : `-${random}`}`
  return withEnd(vm.metadata.name, end)
}

/** The suffix proposed for snapshots of several VMs. */
export function bulkSuffix(now: Date): string {
  return `snapshot-${compactLocalTime(now)}`
}

/** The name of one of several snapshots: `{VM name}-{6 random}-{suffix}`, the VM name cut. */
export function bulkName(vm: Named, random6: string, suffix: string): string {
  return withEnd(vm.metadata.name, `-${random6}-${suffix}`)
}

/** Lower-case letters and digits; `random` answers like Math.random. */
export function randomText(random: () => number, length = 6): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'
  return Array.from({ length }, () => letters[Math.floor(random() * letters.length)] ?? 'a').join('')
}

/** What is wrong with a name for a new object; undefined when nothing is. */
export function whyNotName(name: string, existing: ReadonlySet<string>): string | undefined {
  if (name === '') return 'A name is required'
  const problem = whyNotLabel(name, 'Name', longestLabel)
  if (problem !== undefined) return problem
  return existing.has(name) ? `"${name}" exists already; choose another name` : undefined
}

/** However long the VM names are, that much room is left for a suffix. */
const leastSuffix = 24
const randomPart = '-123456-'.length

/** What is wrong with a suffix for the snapshots of these VMs; undefined when nothing is. */
export function whyNotSuffix(suffix: string, vmNames: readonly string[]): string | undefined {
  if (suffix === '') return 'A suffix is required'
  const longestVm = Math.max(0, ...vmNames.map((name) => name.length))
  return whyNotLabel(suffix, 'Suffix', Math.max(leastSuffix, longestLabel - randomPart - longestVm))
}

function whyNotLabel(text: string, what: string, longest: number): string | undefined {
  if (text.length > longest) return `${what} must be at most ${longest} characters, and has ${text.length}`
  if (labelRule.test(text)) return undefined
  if (/[A-Z]/.test(text)) return `${what} must be in lower-case letters`
  if (/^-|-$/.test(text)) return `${what} must begin and end with a letter or digit`
  return `${what} may have only lower-case letters, digits and -`
}

/** The name of a restore: `restore-<snapshot>-<epoch ms>`. */
export function restoreName(snapshot: Named, epochMs: number): string {
  return withEnd(`restore-${snapshot.metadata.name}`, `-${epochMs}`, longestName)
}

/** The name of the clone that makes a VM: one that failed and the one tried after it are two objects. */
export function cloneName(target: string, epochMs: number): string {
  return withEnd(target, `-${epochMs}`, longestName)
}

/** The name proposed for a VM made from a snapshot. */
export function cloneNameFor(snapshot: Named): string {
  return withEnd(snapshot.metadata.name, '')
}

/** The name of the snapshot of what a restore replaces. */
export function beforeRestoreName(vm: Named, now: Date): string {
  return withEnd(`before-restore-${vm.metadata.name}`, `-${compactLocalTime(now)}`)
}

/** A name with its end kept whole. For a label the dots of a VM's name become dashes. */
function withEnd(start: string, end: string, longest = longestLabel): string {
  const text = longest === longestLabel ? start.replaceAll('.', '-') : start
  // What is cut may leave a dash or dot, after which an end cannot follow.
  return text.slice(0, longest - end.length).replace(/[-.]+$/, '') + end
}
