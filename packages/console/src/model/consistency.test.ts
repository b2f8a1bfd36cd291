import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { consistencyShown, freezeSentence, indicationLabels } from './consistency.ts'
import { content, snapshot, succeeded } from './testing/objects.ts'

const said = (...indications: string[]): VirtualMachineSnapshot =>
  snapshot({
    status: {
      ...succeeded,
      sourceIndications: indications.map((indication) => ({ indication, message: `${indication}!` })) as NonNullable<
        typeof succeeded.sourceIndications
      >,
    },
  })
const withReceipt = (receipt: object, base = snapshot()): VirtualMachineSnapshot => ({
  ...base,
  metadata: {
    ...base.metadata,
    annotations: {
      ...base.metadata.annotations,
      'snapshot.stillpoint.dev/receipt': JSON.stringify({
        version: 1,
        snapshotUID: 'snap-uid',
        outcome: 'Succeeded',
        requested: 'Preferred',
        volumes: [],
        ...receipt,
      }),
    },
  },
})
const withReport = (report: object): VirtualMachineSnapshotContent =>
  content({
    metadata: { annotations: { 'snapshot.stillpoint.dev/freeze-report': JSON.stringify({ attempt: 1, ...report }) } },
  })
const crashAsked = snapshot({ metadata: { annotations: { 'snapshot.stillpoint.dev/consistency': 'CrashConsistent' } } })

const shown: Record<string, [VirtualMachineSnapshot, VirtualMachineSnapshotContent | undefined, string]> = {
  'frozen, by its receipt': [withReceipt({ achieved: 'Application' }), undefined, 'Application-consistent success'],
  'not frozen, by its receipt': [withReceipt({ achieved: 'Crash' }), undefined, 'Crash-consistent warning'],
  'not frozen, as asked for': [withReceipt({ achieved: 'Crash' }, crashAsked), undefined, 'Crash-consistent info'],
  'off, by its receipt': [withReceipt({ achieved: 'Offline' }), undefined, 'Offline success'],
  'the receipt counts more than the indications': [
    withReceipt({ achieved: 'Crash' }, said('Online', 'GuestAgent')),
    undefined,
    'Crash-consistent warning',
  ],
  'a receipt of another snapshot does not count': [
    withReceipt({ achieved: 'Application', snapshotUID: 'other' }, said('Online', 'NoGuestAgent')),
    undefined,
    'Crash-consistent warning',
  ],
  'a freeze that held, by the report': [
    snapshot(),
    withReport({ guest: 'agent', held: true }),
    'Application-consistent success',
  ],
  'a freeze nobody saw held': [snapshot(), withReport({ guest: 'agent' }), 'Crash-consistent warning'],
  'off, by the report': [snapshot(), withReport({ guest: 'offline' }), 'Offline success'],
  'nothing said: it was off': [snapshot(), undefined, 'Offline success'],
  'an agent': [said('Online', 'GuestAgent'), undefined, 'Application-consistent success'],
  'a freeze that ended too early': [
    said('Online', 'GuestAgent', 'QuiesceTimeout'),
    undefined,
    'Crash-consistent warning',
  ],
  'no agent': [said('Online', 'NoGuestAgent'), undefined, 'Crash-consistent warning'],
  paused: [said('Online', 'Paused'), undefined, 'Crash-consistent warning'],
  'words nobody knows': [said('Somehow'), undefined, 'Unknown warning'],
  'disks left out, whatever else': [said('Online', 'GuestAgent', 'PartialSnapshot'), undefined, 'Incomplete warning'],
  'still being taken': [snapshot({ status: { phase: 'InProgress' } }), undefined, 'Not known yet neutral'],
  'not seen yet': [snapshot({ status: undefined }), undefined, 'Not known yet neutral'],
  failed: [snapshot({ status: { phase: 'Failed' } }), undefined, 'None neutral'],
}
test.each(Object.entries(shown))('consistency: %s', (_, [given, kept, expected]) => {
  const { label, tone } = consistencyShown(given, kept)
  expect(`${label} ${tone}`).toBe(expected)
})

test('an incomplete one names the disks that are not in it, and no disk that is made anew', () => {
  const volumes = [
    { name: 'root', dataVolume: { name: 'root' } },
    { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
    { name: 'init', cloudInitNoCloud: {} },
  ]
  const spec = { template: { spec: { domain: { devices: {} }, volumes } } }
  const kept = content({
    metadata: {
      annotations: {
        'snapshot.stillpoint.dev/extra-volumes': JSON.stringify([
          { name: 'hot', claim: true },
          { name: 'tools', claim: false },
        ]),
      },
    },
    spec: {
      source: { virtualMachine: { metadata: { name: 'web-1' }, spec } },
      volumeBackups: [{ volumeName: 'root', persistentVolumeClaim: {}, volumeSnapshotName: 'vs' }],
    },
  })
  expect(consistencyShown(said('Online', 'GuestAgent', 'PartialSnapshot'), kept).explanation).toMatch(
    /^The disks data, hot are not in it\. The guest had/,
  )
  expect(consistencyShown(said('PartialSnapshot')).explanation).toMatch(/^Not all disks of the virtual machine are in/)
})

test('indications that mean less than was asked for stand out', () => {
  const words = ['Online', 'GuestAgent', 'Paused', 'NoGuestAgent', 'QuiesceTimeout', 'PartialSnapshot', 'QuiesceFailed']
  expect(indicationLabels(said(...words, 'Somehow', 'constructor')).map(({ name, tone }) => `${name} ${tone}`)).toEqual(
    [
      'Online info',
      'GuestAgent info',
      'Paused info',
      'NoGuestAgent warning',
      'QuiesceTimeout warning',
      'PartialSnapshot warning',
      'QuiesceFailed danger',
      'Somehow neutral',
      'constructor neutral',
    ],
  )
  expect(indicationLabels(said('Online'))[0]?.message).toBe('Online!')
})

test('an older server says them in one word each', () =>
  expect(indicationLabels(snapshot({ status: { ...succeeded, indications: ['NoGuestAgent'] } }))).toEqual([
    { name: 'NoGuestAgent', tone: 'warning', message: '' },
  ]))

const whole = { guest: 'agent', asked: 'a', frozen: 'b', cut: 'c', thawed: 'd', frozenMs: 412, held: true }
const freeze = { asked: 'a', began: 'b', thawed: 'd', frozenMs: 412, held: true }
const answered = (answer: string) => ({ answers: [{ command: 'freeze', at: 'a', answer }] })
const sentences: Record<
  string,
  [VirtualMachineSnapshot, VirtualMachineSnapshotContent | undefined, string | undefined]
> = {
  'how long, and that it ended': [snapshot(), withReport(whole), 'Frozen 0.4 s, thaw verified'],
  'by the receipt': [withReceipt({ guest: 'agent', freeze }), undefined, 'Frozen 0.4 s, thaw verified'],
  'that it did not hold': [
    snapshot(),
    withReport({ ...whole, held: false }),
    'Frozen 0.4 s, but not until the last cut, thaw verified',
  ],
  'that nobody confirmed the thaw': [
    snapshot(),
    withReport({ ...whole, thawed: undefined }),
    'Frozen 0.4 s, thaw not confirmed',
  ],
  'why freezing was given up': [
    snapshot(),
    withReport({ guest: 'agent', asked: 'a', thawed: 'd', unfrozen: 'hook failed' }),
    'Not frozen: hook failed',
  ],
  'why it was refused': [snapshot(), withReport({ guest: 'agent', refused: 'no' }), 'Not frozen: no'],
  'what the agent answered, by the receipt': [
    withReceipt({ guest: 'agent', freeze: { asked: 'a', thawed: 'd' }, agent: answered('hook failed') }),
    undefined,
    'Not frozen: hook failed',
  ],
  'nothing while it is asked': [snapshot(), withReport({ guest: 'agent', asked: 'a' }), undefined],
  'that it was off': [snapshot(), withReport({ guest: 'offline' }), 'Not frozen: the virtual machine was off'],
  'that there was no agent': [snapshot(), withReport({ guest: 'no-agent' }), 'Not frozen: no guest agent answered'],
  'that it was paused': [snapshot(), withReport({ guest: 'paused' }), 'Not frozen: the guest was paused'],
  'that it was not to be frozen': [snapshot(), withReport({ guest: 'unused' }), 'Not frozen: it was asked for without'],
  'of an older server, that it failed': [
    said('NoGuestAgent', 'QuiesceFailed'),
    undefined,
    'Not frozen: QuiesceFailed!',
  ],
  'of an older server, no agent': [said('NoGuestAgent'), undefined, 'Not frozen: no guest agent answered'],
  'of an older server, paused': [said('Paused'), undefined, 'Not frozen: the guest was paused'],
  'of an older server, too short': [
    said('GuestAgent', 'QuiesceTimeout'),
    undefined,
    'Frozen, but not until the last cut',
  ],
  'of an older server, an attempt': [said('GuestAgent'), undefined, 'A freeze was asked for; nobody measured it'],
  'nothing when nothing is known': [snapshot(), undefined, undefined],
}
test.each(Object.entries(sentences))('freeze sentence says %s', (_, [given, kept, expected]) =>
  expect(freezeSentence(given, kept)).toBe(expected),
)
