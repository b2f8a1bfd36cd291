import { claimOf } from '@stillpoint/api/kubevirt/kinds'
import { extraVolumesAnnotation, parseExtraVolumes } from '@stillpoint/api/snapshot/keys'
import type { Indication, VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { consistencyOf, snapshotVolumesOf } from '@stillpoint/api/snapshot/rules'
import { duration } from './format.ts'
import { type FreezeFacts, freezeFacts, receiptIn } from './freeze-facts.ts'
import type { Tone } from './snapshot-status.ts'

export interface ShownConsistency {
  label: 'Application-consistent' | 'Crash-consistent' | 'Offline' | 'Incomplete' | 'Unknown' | 'Not known yet' | 'None'
  tone: Tone
  /** A sentence on what that means for whoever restores it. */
  explanation: string
}

type Achieved = 'Application' | 'Crash' | 'Offline'

const explanations: Record<Achieved, string> = {
  Application: 'The guest had its file systems frozen until the last disk was cut: they are consistent in themselves.',
  Crash: 'The disks are as after a power cut: file systems recover by their journal, databases by their log.',
  Offline: 'The virtual machine was off: its disks were at rest.',
}

/** How consistent the data of a snapshot is, by its receipt; without one, by what it says of the guest. */
export function consistencyShown(
  snapshot: VirtualMachineSnapshot,
  content?: VirtualMachineSnapshotContent,
): ShownConsistency {
  const phase = snapshot.status?.phase
  if (phase === 'Failed') return { label: 'None', tone: 'neutral', explanation: 'It failed: there is no data in it.' }
  if (phase !== 'Succeeded')
    return { label: 'Not known yet', tone: 'neutral', explanation: 'Known when the snapshot has been taken.' }
  const achieved = achievedBy(snapshot, content)
  if (indicationsIn(snapshot).some(({ name }) => name === 'PartialSnapshot')) {
    const missing = missingDisks(content)
    const which = missing.length === 0 ? 'Not all disks of the virtual machine' : `The disks ${missing.join(', ')}`
    const verb = missing.length === 0 ? 'are' : 'are not'
    const rest = achieved === undefined ? '' : ` ${explanations[achieved]}`
    return { label: 'Incomplete', tone: 'warning', explanation: `${which} ${verb} in it.${rest}` }
  }
  if (achieved === undefined)
    return { label: 'Unknown', tone: 'warning', explanation: 'It does not say how its guest was found.' }
  const explanation = explanations[achieved]
  if (achieved === 'Offline') return { label: 'Offline', tone: 'success', explanation }
  if (achieved === 'Application') return { label: 'Application-consistent', tone: 'success', explanation }
  const asked = consistencyOf(snapshot) === 'CrashConsistent'
  return { label: 'Crash-consistent', tone: asked ? 'info' : 'warning', explanation }
}

export interface ShownIndication {
  name: string
  tone: Tone
  message: string
}

const tones: Record<Indication, Tone> = {
  Online: 'info',
  GuestAgent: 'info',
  Paused: 'info',
  NoGuestAgent: 'warning',
  QuiesceTimeout: 'warning',
  PartialSnapshot: 'warning',
  QuiesceFailed: 'danger',
}

/** One label for each indication; those that mean less than was asked for stand out. */
export function indicationLabels(snapshot: VirtualMachineSnapshot): ShownIndication[] {
  return indicationsIn(snapshot).map(({ name, message }) => ({
    name,
    tone: Object.hasOwn(tones, name) ? tones[name as Indication] : 'neutral',
    message,
  }))
}

/** `Frozen 0.4 s, thaw verified` or `Not frozen: <reason>`; undefined when nothing is known, or not yet. */
export function freezeSentence(
  snapshot: VirtualMachineSnapshot,
  content?: VirtualMachineSnapshotContent,
): string | undefined {
  const facts = freezeFacts(snapshot, content)
  if (facts !== undefined) return sentenceOf(facts)
  const said = indicationsIn(snapshot)
  const failed = said.find(({ name }) => name === 'QuiesceFailed')
  if (failed !== undefined) return `Not frozen: ${failed.message || 'the guest agent could not'}`
  if (said.some(({ name }) => name === 'Paused')) return `Not frozen: ${notFrozen.paused}`
  if (said.some(({ name }) => name === 'NoGuestAgent')) return `Not frozen: ${notFrozen['no-agent']}`
  if (said.some(({ name }) => name === 'QuiesceTimeout')) return 'Frozen, but not until the last cut'
  return said.some(({ name }) => name === 'GuestAgent') ? 'A freeze was asked for; nobody measured it' : undefined
}

const notFrozen: Record<Exclude<NonNullable<FreezeFacts['guest']>, 'agent'>, string> = {
  offline: 'the virtual machine was off',
  'no-agent': 'no guest agent answered',
  paused: 'the guest was paused',
  unused: 'it was asked for without',
}

function sentenceOf({ guest, asked, frozen, thawed, frozenMs, held, whyNot }: FreezeFacts): string | undefined {
  if (guest !== undefined && guest !== 'agent') return `Not frozen: ${notFrozen[guest]}`
  if (frozen !== undefined && frozenMs !== undefined) {
    const lasted = `Frozen ${duration(frozenMs)}`
    const thaw = thawed === undefined ? 'thaw not confirmed' : 'thaw verified'
    return held === false ? `${lasted}, but not until the last cut, ${thaw}` : `${lasted}, ${thaw}`
  }
  if (whyNot !== undefined) return `Not frozen: ${whyNot}`
  // Under way: the steps show that, and a minute later it would be wrong.
  return asked !== undefined && thawed !== undefined ? 'Not frozen: the guest agent did not confirm it' : undefined
}

function indicationsIn({ status }: VirtualMachineSnapshot): { name: string; message: string }[] {
  const { sourceIndications: told, indications = [] } = status ?? {}
  if (told !== undefined) return told.map(({ indication, message }) => ({ name: indication, message }))
  return indications.map((name) => ({ name, message: '' }))
}

function achievedBy(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
): Achieved | undefined {
  const receipt = receiptIn(snapshot)
  if (receipt?.achieved !== undefined) return receipt.achieved
  const facts = freezeFacts(snapshot, content)
  if (facts?.guest === 'offline') return 'Offline'
  if (facts?.guest !== undefined) return facts.guest === 'agent' && facts.held === true ? 'Application' : 'Crash'
  const said = new Set(indicationsIn(snapshot).map(({ name }) => name))
  said.delete('PartialSnapshot')
  if (said.size === 0) return 'Offline'
  if (said.has('GuestAgent')) return said.has('QuiesceTimeout') || said.has('QuiesceFailed') ? 'Crash' : 'Application'
  return ['Online', 'Paused', 'NoGuestAgent', 'QuiesceFailed', 'QuiesceTimeout'].some((word) => said.has(word))
    ? 'Crash'
    : undefined
}

/** The disks of a captured VM that stand on claims and are not in its content. */
function missingDisks(content: VirtualMachineSnapshotContent | undefined): string[] {
  if (content === undefined) return []
  const captured = content.spec.source.virtualMachine?.spec?.template.spec.volumes ?? []
  const extra = parseExtraVolumes(content.metadata.annotations?.[extraVolumesAnnotation])
  const made = new Set([
    ...captured.filter((volume) => claimOf(volume) === undefined).map(({ name }) => name),
    ...extra.filter(({ claim }) => !claim).map(({ name }) => name),
  ])
  return (snapshotVolumesOf(content)?.excludedVolumes ?? []).filter((name) => !made.has(name))
}
