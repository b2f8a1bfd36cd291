import { type FreezeReport, parseFreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { freezeReportAnnotation, receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { parseReceipt, type Receipt } from '@stillpoint/api/snapshot/receipt'
import { perObject } from './per-object.ts'

/** The receipt of a snapshot; one that was copied from another snapshot does not count. */
export const receiptIn = perObject(({ metadata }: VirtualMachineSnapshot): Receipt | undefined => {
  const receipt = parseReceipt(metadata.annotations?.[receiptAnnotation])
  return receipt?.snapshotUID === metadata.uid ? receipt : undefined
})

/** What was seen of the guest while a snapshot was taken; from the receipt, or from the content while there is none. */
export interface FreezeFacts {
  guest?: FreezeReport['guest'] | undefined
  asked?: string | undefined
  frozen?: string | undefined
  cut?: string | undefined
  thawed?: string | undefined
  frozenMs?: number | undefined
  /** The freeze lasted until the last volume was cut. */
  held?: boolean | undefined
  /** Why it was not frozen, or not as asked for. */
  whyNot?: string | undefined
}

/** Undefined when nobody has written down anything. */
export function freezeFacts(
  snapshot: VirtualMachineSnapshot,
  content: VirtualMachineSnapshotContent | undefined,
): FreezeFacts | undefined {
  const report = parseFreezeReport(content?.metadata.annotations?.[freezeReportAnnotation])
  if (report !== undefined) {
    const { guest, asked, frozen, cut, thawed, frozenMs, held, refused, unfrozen } = report
    return { guest, asked, frozen, cut, thawed, frozenMs, held, whyNot: refused ?? unfrozen }
  }
  const receipt = receiptIn(snapshot)
  if (receipt === undefined) return undefined
  const { asked, began, cut, thawed, frozenMs, held } = receipt.freeze ?? {}
  const last = receipt.agent?.answers.findLast(({ command }) => command === 'freeze')?.answer
  const whyNot = last === 'frozen' ? undefined : last
  return { guest: receipt.guest, asked, frozen: began, cut, thawed, frozenMs, held, whyNot }
}
