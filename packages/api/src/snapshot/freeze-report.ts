import * as z from 'zod'
import type { Indication } from './kinds.ts'

/**
 * What is known and was measured about the guest while its volumes were cut. Kept on the snapshot content, so that a
 * restarted controller knows whether a thaw is owed, and people can see what was achieved. Times are RFC 3339 with
 * milliseconds.
 */
export const freezeReport = z.object({
  /** Cut attempts are numbered from 1; the volume snapshots of an attempt carry its number in their cut set. */
  attempt: z.int().min(1),
  /** How the guest was found when the attempt began. `unused`: an agent is there, but was not to be asked. */
  guest: z.enum(['offline', 'no-agent', 'paused', 'unused', 'agent']),
  /** The instance that was asked, and the process that asked. */
  vmiUid: z.string().optional(),
  holder: z.string().optional(),
  /** From here on the guest may be frozen: a thaw is owed until `thawed` is set. */
  asked: z.string().optional(),
  firstAsked: z.string().optional(),
  frozen: z.string().optional(),
  cut: z.string().optional(),
  thawed: z.string().optional(),
  /** From the agent's answer to the freeze until its answer to the thaw. */
  frozenMs: z.number().optional(),
  /** Between the first and the last volume's cut. */
  skewMs: z.number().optional(),
  /** Freeze calls that failed so far. */
  failedTries: z.int().optional(),
  /** The last freeze was refused because another holds the guest frozen; that is no failed try. */
  busy: z.boolean().optional(),
  end: z
    .enum(['cut', 'timeout', 'error', 'deleted', 'interrupted', 'freeze-failed', 'guest-gone', 'unconfirmed'])
    .optional(),
  /** Whether the freeze held until the last volume was cut. */
  held: z.boolean().optional(),
  /** What the agent or the storage answered when it did not work. */
  answer: z.string().optional(),
  /** What the agent answered, in order; of many, the last ones. */
  answers: z.array(z.object({ command: z.enum(['freeze', 'thaw']), at: z.string(), answer: z.string() })).optional(),
  /** What the guest calls its operating system. */
  guestOs: z.string().optional(),
  /** Freezing was given up; the volumes are cut without. */
  unfrozen: z.string().optional(),
  /** The demanded consistency cannot be reached; the snapshot fails with this reason. */
  refused: z.string().optional(),
})
export type FreezeReport = z.output<typeof freezeReport>

/** The report in an annotation; undefined when absent or not one of ours. */
export function parseFreezeReport(text: string | undefined): FreezeReport | undefined {
  if (text === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return freezeReport.safeParse(value).data
}

/** The guest may still be frozen on behalf of this snapshot. */
export function thawOwed(report: FreezeReport | undefined): boolean {
  return report?.asked !== undefined && report.thawed === undefined
}

/** The fixed sentences of `status.sourceIndications`. */
export const indicationMessages: Record<Indication, string> = {
  Online: 'Snapshot taken while the VM was running. Consistency depends on guest-agent quiescing.',
  Paused: 'Snapshot taken while the VM was paused. Snapshot is crash-consistent and may not be application-consistent.',
  GuestAgent: 'Guest agent was active and attempted to quiesce the filesystem for application consistency.',
  NoGuestAgent: 'Guest agent was not available. Snapshot is crash-consistent and may not be application-consistent.',
  QuiesceTimeout:
    'Guest agent quiesced the filesystem, but the freeze window timed out before completion. Snapshot is crash-consistent and may not be application-consistent.',
  QuiesceFailed: 'Guest agent could not quiesce the filesystem.',
  PartialSnapshot:
    'Not all snapshotable volumes were included in the snapshot. Check status.snapshotVolumes for excluded volumes and VM VolumeSnapshotStatus for details.',
}

export interface SourceIndication {
  indication: Indication
  message: string
}

/** Decided once, from what happened: what a finished snapshot says about its source. */
export function indicationsOf(report: FreezeReport | undefined, partial: boolean): SourceIndication[] {
  const found: SourceIndication[] = []
  const say = (indication: Indication, message = indicationMessages[indication]): void => {
    found.push({ indication, message })
  }
  if (report !== undefined && report.guest !== 'offline') {
    say('Online')
    if (report.guest === 'paused') say('Paused')
    else if (report.guest === 'no-agent') say('NoGuestAgent')
    else if (report.guest === 'unused')
      say(
        'NoGuestAgent',
        'Guest agent was not used, as asked for. Snapshot is crash-consistent and may not be application-consistent.',
      )
    else if (report.unfrozen !== undefined) {
      say('NoGuestAgent')
      say('QuiesceFailed', `${indicationMessages.QuiesceFailed.slice(0, -1)}: ${report.unfrozen}`)
    } else {
      say('GuestAgent')
      if (report.held === false) say('QuiesceTimeout')
    }
  }
  found.sort((a, b) => (a.indication < b.indication ? -1 : 1))
  if (partial) say('PartialSnapshot')
  return found
}
