import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { parseReceipt, type Receipt } from '@stillpoint/api/snapshot/receipt'
import { expect, test } from 'vitest'
import { type ReceiptInput, receiptOf } from './receipt.ts'
import { snapshot } from './testing/still-world.ts'

const cutMs = Date.parse('2026-01-01T00:00:10Z')
const cut = (name: string, afterMs = 0) => ({
  name,
  volumeSnapshotName: `vs-${name}`,
  at: { ms: cutMs + afterMs, precisionMs: 1 },
})
const frozen: FreezeReport = {
  attempt: 1,
  guest: 'agent',
  vmiUid: 'vmi-1',
  asked: '2026-01-01T00:00:09.000Z',
  frozen: '2026-01-01T00:00:09.500Z',
  cut: '2026-01-01T00:00:10.000Z',
  thawed: '2026-01-01T00:00:10.200Z',
  frozenMs: 700,
  held: true,
  guestOs: 'Debian',
  answers: [{ command: 'freeze', at: '2026-01-01T00:00:09.500Z', answer: 'frozen' }],
}
const base: ReceiptInput = {
  snapshot: snapshot(),
  sourceUid: 'uid-of-my-vm',
  outcome: 'Succeeded',
  reason: undefined,
  report: frozen,
  cuts: [cut('root')],
}

const achieved: Record<string, [Partial<ReceiptInput>, Receipt['achieved']]> = {
  'Application only when frozen until the last cut': [{}, 'Application'],
  'Crash when the freeze did not hold': [{ report: { ...frozen, held: false } }, 'Crash'],
  'Crash when nobody knows whether it held': [{ report: { attempt: 1, guest: 'agent', asked: 'x' } }, 'Crash'],
  'Crash when freezing was given up': [{ report: { ...frozen, unfrozen: 'no' } }, 'Crash'],
  'Crash without an agent': [{ report: { attempt: 1, guest: 'no-agent' } }, 'Crash'],
  'Crash when paused': [{ report: { attempt: 1, guest: 'paused' } }, 'Crash'],
  'Crash when the agent was not to be asked': [{ report: { attempt: 1, guest: 'unused' } }, 'Crash'],
  'Offline when no guest ran': [{ report: { attempt: 1, guest: 'offline' } }, 'Offline'],
  'nothing of a snapshot that failed': [{ outcome: 'Failed', reason: 'snapshot deadline exceeded' }, undefined],
  'nothing when nobody wrote down how it went': [{ report: undefined }, undefined],
}
test.each(Object.entries(achieved))('achieved: %s', (_, [given, expected]) =>
  expect(receiptOf({ ...base, ...given }).achieved).toBe(expected),
)

test('has what was asked, answered and measured', () =>
  expect(receiptOf({ ...base, cuts: [cut('root'), cut('data', 25)] })).toEqual({
    version: 1,
    snapshotUID: 'uid-of-snap',
    sourceUID: 'uid-of-my-vm',
    outcome: 'Succeeded',
    requested: 'Preferred',
    achieved: 'Application',
    guest: 'agent',
    attempts: 1,
    freeze: {
      asked: frozen.asked,
      began: frozen.frozen,
      cut: frozen.cut,
      thawed: frozen.thawed,
      frozenMs: 700,
      held: true,
    },
    agent: { instanceUID: 'vmi-1', guestOS: 'Debian', answers: frozen.answers },
    volumes: [
      { name: 'root', volumeSnapshotName: 'vs-root', cut: '2026-01-01T00:00:10.000Z', precisionMs: 1 },
      { name: 'data', volumeSnapshotName: 'vs-data', cut: '2026-01-01T00:00:10.025Z', precisionMs: 1 },
    ],
    skewMs: 25,
  }))

test('says nothing of what was not: no freeze, no agent, no cut, no skew', () => {
  const receipt = receiptOf({
    ...base,
    outcome: 'Failed',
    reason: 'snapshot deadline exceeded',
    report: { attempt: 1, guest: 'no-agent' },
    cuts: [{ name: 'root', volumeSnapshotName: 'vs-root', at: undefined }],
  })
  expect(receipt).toEqual({
    version: 1,
    snapshotUID: 'uid-of-snap',
    sourceUID: 'uid-of-my-vm',
    outcome: 'Failed',
    reason: 'snapshot deadline exceeded',
    requested: 'Preferred',
    guest: 'no-agent',
    attempts: 1,
    volumes: [{ name: 'root', volumeSnapshotName: 'vs-root' }],
  })
  expect(parseReceipt(JSON.stringify(receipt))).toEqual(receipt)
})
