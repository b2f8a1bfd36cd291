import * as z from 'zod'
import { consistencies } from './keys.ts'

const instant = z.string().meta({ format: 'date-time' })

/**
 * What a finished snapshot says of how it came about, in the annotation `snapshot.stillpoint.dev/receipt`. Everything in
 * it was observed or measured. Times are RFC 3339 in UTC; durations are milliseconds. Published as JSON schema in
 * docs/receipt.schema.json; later versions only add members, or count `version` up.
 */
export const receipt = z
  .object({
    version: z.literal(1).describe('Version of this schema.'),
    snapshotUID: z.string().describe('UID of the snapshot it belongs to: a copied annotation can be told.'),
    sourceUID: z.string().optional().describe('UID of the virtual machine that was captured.'),
    outcome: z.enum(['Succeeded', 'Failed']).describe('How the snapshot ended.'),
    reason: z.string().optional().describe('Why it failed.'),
    requested: z.enum(consistencies).describe('Consistency asked for.'),
    achieved: z
      .enum(['Offline', 'Application', 'Crash'])
      .optional()
      .describe(
        'Offline: no guest ran. Application: frozen by its agent until the last cut. Crash: as after a power cut. ' +
          'Absent when nothing was cut.',
      ),
    guest: z
      .enum(['offline', 'no-agent', 'paused', 'unused', 'agent'])
      .optional()
      .describe('How the guest was found. unused: its agent was not to be asked. Absent when nobody looked.'),
    attempts: z.int().min(1).optional().describe('How often the set of volumes was cut, or tried to be.'),
    freeze: z
      .object({
        asked: instant.describe('When the freeze was asked for.'),
        began: instant.optional().describe('When the guest had answered that it is frozen.'),
        cut: instant.optional().describe('When all volumes were seen to be cut.'),
        thawed: instant.optional().describe('When the guest had confirmed that it is thawed.'),
        frozenMs: z.number().min(0).optional().describe('From began until thawed.'),
        held: z.boolean().optional().describe('Whether the freeze lasted until the last cut.'),
      })
      .optional()
      .describe('The last freeze. Absent when none was asked for.'),
    agent: z
      .object({
        instanceUID: z.string().optional().describe('UID of the VirtualMachineInstance whose agent was asked.'),
        guestOS: z.string().optional().describe('What the guest calls its operating system.'),
        answers: z
          .array(
            z.object({
              command: z.enum(['freeze', 'thaw']).describe('What was asked for.'),
              at: instant.describe('When the answer came, or was waited for no longer.'),
              answer: z.string().describe('frozen or thawed, or the words of the failure.'),
            }),
          )
          .describe('What the agent answered, in order; of many, the last ones.'),
      })
      .optional()
      .describe('The guest agent. Absent when it was not asked.'),
    volumes: z
      .array(
        z.object({
          name: z.string().describe('Name of the volume in the virtual machine.'),
          volumeSnapshotName: z.string().describe('The VolumeSnapshot with its data.'),
          cut: instant.optional().describe('The instant whose data it holds, as the storage tells. Absent: not cut.'),
          precisionMs: z.number().optional().describe('How exact that time is: 1000 where only seconds are told.'),
        }),
      )
      .describe('The volumes that are in the snapshot.'),
    skewMs: z
      .number()
      .min(0)
      .optional()
      .describe('Between the first and the last cut; absent with fewer than two cuts. As exact as the cut times.'),
  })
  .describe('How a VirtualMachineSnapshot came about.')
export type Receipt = z.output<typeof receipt>

/** The receipt in an annotation; undefined when absent or not one of ours. */
export function parseReceipt(text: string | undefined): Receipt | undefined {
  if (text === undefined) return undefined
  try {
    return receipt.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** Between the first and the last of some instants, in milliseconds; undefined with fewer than two. */
export function skewMsOf(timesMs: readonly number[]): number | undefined {
  return timesMs.length < 2 ? undefined : Math.max(...timesMs) - Math.min(...timesMs)
}
