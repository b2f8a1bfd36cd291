import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { type Receipt, skewMsOf } from '@stillpoint/api/snapshot/receipt'
import { consistencyOf } from '@stillpoint/api/snapshot/rules'
import { defined } from '../controller/defined.ts'

/** When a volume was cut, as exactly as the storage tells. */
export interface CutTime {
  name: string
  volumeSnapshotName: string
  at: { ms: number; precisionMs: number } | undefined
}

export interface ReceiptInput {
  snapshot: VirtualMachineSnapshot
  sourceUid: string | undefined
  outcome: 'Succeeded' | 'Failed'
  reason: string | undefined
  /** Undefined when the snapshot ended before its content was made. */
  report: FreezeReport | undefined
  cuts: readonly CutTime[]
}

/** What a snapshot that ends now is to say of how it came about. */
export function receiptOf({ snapshot, sourceUid, outcome, reason, report, cuts }: ReceiptInput): Receipt {
  const times = cuts.flatMap(({ at }) => (at === undefined ? [] : [at.ms]))
  return defined<Receipt>({
    version: 1,
    snapshotUID: snapshot.metadata.uid ?? '',
    sourceUID: sourceUid,
    outcome,
    reason,
    requested: consistencyOf(snapshot),
    achieved: outcome === 'Succeeded' ? achievedBy(report) : undefined,
    guest: report?.guest,
    attempts: report?.attempt,
    freeze:
      report?.asked === undefined
        ? undefined
        : defined({
            asked: report.asked,
            began: report.frozen,
            cut: report.cut,
            thawed: report.thawed,
            frozenMs: report.frozenMs,
            held: report.held,
          }),
    agent:
      report?.answers === undefined
        ? undefined
        : defined({ instanceUID: report.vmiUid, guestOS: report.guestOs, answers: report.answers }),
    volumes: cuts.map(({ name, volumeSnapshotName, at }) =>
      defined({
        name,
        volumeSnapshotName,
        cut: at === undefined ? undefined : new Date(at.ms).toISOString(),
        precisionMs: at?.precisionMs,
      }),
    ),
    skewMs: skewMsOf(times),
  })
}

function achievedBy(report: FreezeReport | undefined): Receipt['achieved'] {
  if (report === undefined) return undefined
  if (report.guest === 'offline') return 'Offline'
  const frozen = report.guest === 'agent' && report.asked !== undefined && report.unfrozen === undefined
  return frozen && report.held === true ? 'Application' : 'Crash'
}
