import { expect, test } from 'vitest'
import { type FreezeReport, indicationsOf } from './freeze-report.ts'
import { indications } from './kinds.ts'

const agent: FreezeReport = { attempt: 1, guest: 'agent', held: true }

const messages: Record<string, [FreezeReport, partial: boolean, indication: string, message: string]> = {
  'c.9 Online': [
    agent,
    false,
    'Online',
    'Snapshot taken while the VM was running. Consistency depends on guest-agent quiescing.',
  ],
  'c.9 Paused': [
    { attempt: 1, guest: 'paused' },
    false,
    'Paused',
    'Snapshot taken while the VM was paused. Snapshot is crash-consistent and may not be application-consistent.',
  ],
  'c.9 GuestAgent': [
    agent,
    false,
    'GuestAgent',
    'Guest agent was active and attempted to quiesce the filesystem for application consistency.',
  ],
  'c.9 NoGuestAgent': [
    { attempt: 1, guest: 'no-agent' },
    false,
    'NoGuestAgent',
    'Guest agent was not available. Snapshot is crash-consistent and may not be application-consistent.',
  ],
  'c.9 QuiesceTimeout': [
    { ...agent, held: false },
    false,
    'QuiesceTimeout',
    'Guest agent quiesced the filesystem, but the freeze window timed out before completion. Snapshot is crash-consistent and may not be application-consistent.',
  ],
  'c.9 PartialSnapshot': [
    { attempt: 1, guest: 'offline' },
    true,
    'PartialSnapshot',
    'Not all snapshotable volumes were included in the snapshot. Check status.snapshotVolumes for excluded volumes and VM VolumeSnapshotStatus for details.',
  ],
  'c.9 W-09 QuiesceFailed ends with what the agent answered': [
    { ...agent, unfrozen: 'hook said no' },
    false,
    'QuiesceFailed',
    'Guest agent could not quiesce the filesystem: hook said no',
  ],
}
test.each(Object.entries(messages))('%s', (_, [report, partial, indication, message]) => {
  expect(indicationsOf(report, partial)).toContainEqual({ indication, message })
  expect(indications).toContain(indication)
})

const typical: Record<string, [FreezeReport, string[]]> = {
  'c.9-typical running with agent': [agent, ['GuestAgent', 'Online']],
  'c.9-typical running without': [{ attempt: 1, guest: 'no-agent' }, ['NoGuestAgent', 'Online']],
  'c.9-typical paused, and nothing is said of an agent': [{ attempt: 1, guest: 'paused' }, ['Online', 'Paused']],
  'c.9-typical a freeze that did not last': [{ ...agent, held: false }, ['GuestAgent', 'Online', 'QuiesceTimeout']],
  'c.9-typical offline': [{ attempt: 1, guest: 'offline' }, []],
  'c.9-typical nothing to cut, so nothing was frozen': [{ attempt: 1, guest: 'agent' }, ['GuestAgent', 'Online']],
  'c.9 W-11 never both of NoGuestAgent and GuestAgent': [
    { ...agent, unfrozen: 'no' },
    ['NoGuestAgent', 'Online', 'QuiesceFailed'],
  ],
}
test.each(Object.entries(typical))('%s', (_, [report, expected]) => {
  expect(indicationsOf(report, false).map(({ indication }) => indication)).toEqual(expected)
  // What is partial is told last, whatever the alphabet says.
  expect(indicationsOf(report, true).map(({ indication }) => indication)).toEqual([...expected, 'PartialSnapshot'])
})
