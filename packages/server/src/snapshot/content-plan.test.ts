import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { expect, test } from 'vitest'
import { type ContentObserved, type ContentStep, planContent } from './content-plan.ts'

const nowMs = Date.parse('2026-01-01T00:01:00Z')
const at = (ms: number): string => new Date(nowMs + ms).toISOString()
const guest = { uid: 'vmi-1', alive: true, paused: false, agent: true, reportsFrozen: false }
const asked: FreezeReport = {
  attempt: 1,
  guest: 'agent',
  vmiUid: 'vmi-1',
  holder: 'us',
  asked: at(-5_000),
  firstAsked: at(-5_000),
}
const thawed = (changes: Partial<FreezeReport>): FreezeReport => ({ ...asked, thawed: at(-1_000), ...changes })
const cut = { attempt: 1, cutMs: nowMs - 4_000, deleting: false }
const uncut = { attempt: 1, cutMs: undefined, deleting: false }
const volumes = (...found: ContentObserved['volumes'][number]['found'][]) =>
  found.map((one, index) => ({ name: `vs-${index}`, found: one }))

const base: ContentObserved = {
  nowMs,
  deleting: false,
  finalizer: true,
  created: false,
  snapshot: 'active',
  locked: true,
  consistency: 'Preferred',
  guest,
  report: asked,
  fresh: false,
  volumes: volumes(undefined),
}

const cases: Record<string, [Partial<ContentObserved>, ContentStep]> = {
  'c.6 cuts in a freeze when the agent is connected': [
    { fresh: true },
    { do: 'cut', attempt: 1, quiesce: { freeze: true } },
  ],
  'c.6-thaw W-05 thaws first when a report is open that this process did not just announce': [{}, { do: 'thaw' }],
  'c.6-thaw thaws even when everything is cut': [{ volumes: volumes(cut) }, { do: 'thaw' }],
  'c.6-thaw W-08 thaws even when it is deleted': [{ deleting: true }, { do: 'thaw' }],
  'c.6-thaw W-08 thaws even when its snapshot is gone': [{ snapshot: 'gone' }, { do: 'thaw' }],
  'owes no thaw to a guest that has ended': [{ guest: undefined }, { do: 'closeReport', end: 'guest-gone' }],
  'owes no thaw to another guest of that name': [
    { guest: { ...guest, uid: 'vmi-2' } },
    { do: 'closeReport', end: 'guest-gone' },
  ],
  'keeps trying to thaw an agent that is silent': [{ guest: { ...guest, agent: false } }, { do: 'thaw' }],
  'stops trying when the guest own timer has long run out': [
    { guest: { ...guest, agent: false }, report: { ...asked, asked: at(-61_000) } },
    { do: 'closeReport', end: 'unconfirmed' },
  ],
  'never stops trying while the guest says it is frozen': [
    { guest: { ...guest, reportsFrozen: true }, report: { ...asked, asked: at(-3_600_000) } },
    { do: 'thaw' },
  ],
  'a paused guest is thawed later, what is cut is settled now': [
    { guest: { ...guest, paused: true }, report: { ...asked, held: true, end: 'cut' }, volumes: volumes(cut) },
    { do: 'settle', held: true },
  ],
  'a paused guest is not frozen again': [{ guest: { ...guest, paused: true } }, { do: 'wait' }],
  'a content goes only with its guest thawed': [{ guest: { ...guest, paused: true }, deleting: true }, { do: 'wait' }],
  'c.11 drops its finalizer when deleted and nothing is owed': [
    { deleting: true, report: thawed({ end: 'cut' }) },
    { do: 'releaseContent' },
  ],
  'a freeze announced and never begun is not owed a thaw': [{ deleting: true, fresh: true }, { do: 'releaseContent' }],
  'c.2-7 settles at once without volumes': [
    { volumes: [], report: { attempt: 1, guest: 'agent' } },
    { do: 'settle', held: undefined },
  ],
  'settles what is cut although its snapshot is out of time': [
    { snapshot: 'ending', report: { attempt: 1, guest: 'offline' }, volumes: volumes(cut) },
    { do: 'settle', held: undefined },
  ],
  'c.8 cuts nothing for a snapshot that ends': [
    { snapshot: 'ending', report: { attempt: 1, guest: 'offline' } },
    { do: 'wait' },
  ],
  'c.6 cuts nothing while the source is not locked': [
    { locked: false, report: { attempt: 1, guest: 'offline' } },
    { do: 'wait' },
  ],
  'an interrupted cut that is complete is accepted, but nobody saw that the freeze held': [
    { report: thawed({ end: 'interrupted', held: false }), volumes: volumes(cut, cut) },
    { do: 'settle', held: false },
  ],
  'an interrupted cut in part is begun again': [
    { report: thawed({ end: 'interrupted' }), volumes: volumes(cut, uncut) },
    { do: 'reopen', attempt: 2 },
  ],
  'an interrupted cut of which nothing is there just begins': [
    { report: thawed({ end: 'interrupted' }), volumes: volumes(undefined) },
    { do: 'cut', attempt: 1, quiesce: { freeze: true } },
  ],
  'what an earlier attempt left is removed first': [
    { report: { attempt: 2, guest: 'agent' }, volumes: volumes(cut, undefined, uncut) },
    { do: 'discard', volumes: ['vs-0', 'vs-2'] },
  ],
  'a new attempt waits until the names are free': [
    { report: { attempt: 2, guest: 'agent' }, volumes: volumes({ ...cut, deleting: true }) },
    { do: 'wait' },
  ],
  'volumes cut by an earlier attempt do not count': [
    { report: { attempt: 2, guest: 'agent' }, volumes: volumes(cut) },
    { do: 'discard', volumes: ['vs-0'] },
  ],
  'a set cut in part within the window is cut again': [
    { report: thawed({ end: 'timeout', held: false }), volumes: volumes(cut, uncut) },
    { do: 'reopen', attempt: 2 },
  ],
  'but not for ever': [
    {
      report: thawed({ attempt: 3, end: 'timeout', held: false }),
      volumes: volumes({ ...cut, attempt: 3 }, { ...uncut, attempt: 3 }),
    },
    { do: 'wait' },
  ],
  'a window that ended without a cut waits for a late one': [
    { report: thawed({ end: 'timeout', held: false }), volumes: volumes(uncut) },
    { do: 'wait' },
  ],
  'a late cut is made again where consistency is required': [
    {
      consistency: 'Required',
      report: thawed({ end: 'timeout', held: false }),
      volumes: volumes(cut),
    },
    { do: 'reopen', attempt: 2 },
  ],
  'but not for ever: then it refuses': [
    {
      consistency: 'Required',
      report: thawed({ attempt: 3, end: 'timeout', held: false }),
      volumes: volumes({ ...cut, attempt: 3 }),
    },
    {
      do: 'refuse',
      why: 'required consistency cannot be reached: the freeze is not known to have held until the last cut',
    },
  ],
  'a late cut did not hold': [
    { report: thawed({ end: 'timeout', held: false }), volumes: volumes(cut) },
    { do: 'settle', held: false },
  ],
  'c.6 a failed freeze is tried again after a pause': [
    { report: thawed({ end: 'freeze-failed', failedTries: 1 }) },
    { do: 'wait', recheckMs: 1_000 },
  ],
  'a failed freeze is tried again when the pause is over': [
    { report: thawed({ end: 'freeze-failed', failedTries: 2, thawed: at(-2_000) }) },
    { do: 'cut', attempt: 1, quiesce: { freeze: true } },
  ],
  'W-07 waits for the lease of another that has the guest frozen': [
    { report: thawed({ end: 'freeze-failed', busy: true, firstAsked: at(-30_000), thawed: at(-2_000) }) },
    { do: 'cut', attempt: 1, quiesce: { freeze: true } },
  ],
  'W-07 does not wait for another for ever': [
    { report: thawed({ end: 'freeze-failed', busy: true, answer: 'frozen by x', firstAsked: at(-60_000) }) },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'agent', unfrozen: 'frozen by x' } },
  ],
  'c.6 W-09 after three failures it goes on unfrozen': [
    { report: thawed({ end: 'freeze-failed', failedTries: 3, answer: 'no' }) },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'agent', unfrozen: 'no' } },
  ],
  'c.6 W-09 after twenty seconds it goes on unfrozen': [
    { report: thawed({ end: 'freeze-failed', failedTries: 1, answer: 'no', firstAsked: at(-20_000) }) },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'agent', unfrozen: 'no' } },
  ],
  'when required it refuses instead': [
    { consistency: 'Required', report: thawed({ end: 'freeze-failed', failedTries: 3, answer: 'no' }) },
    { do: 'refuse', why: 'required consistency cannot be reached: no' },
  ],
  'given up, the rest is cut unfrozen and nothing is discarded': [
    { report: thawed({ end: 'freeze-failed', failedTries: 3, unfrozen: 'no' }), volumes: volumes(cut, uncut) },
    { do: 'wait' },
  ],
  'a created content is only looked after': [
    { created: true, report: thawed({ end: 'cut' }), volumes: volumes(undefined) },
    { do: 'wait' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(planContent({ ...base, ...given })).toEqual(step))

const quiesce: Record<string, [Partial<ContentObserved>, ContentStep]> = {
  'c.6 an offline VM is cut as it is': [
    { guest: undefined },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'offline' } },
  ],
  'c.6 a guest without agent is cut as it is': [
    { guest: { ...guest, agent: false } },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'no-agent' } },
  ],
  'c.6 a paused guest is cut as it is': [
    { guest: { ...guest, paused: true } },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'paused' } },
  ],
  'crash consistency never freezes': [
    { consistency: 'CrashConsistent' },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'unused' } },
  ],
  'an offline VM is as consistent as can be': [
    { guest: undefined, consistency: 'Required' },
    { do: 'cut', attempt: 1, quiesce: { freeze: false, guest: 'offline' } },
  ],
  'required consistency refuses a paused guest': [
    { guest: { ...guest, paused: true }, consistency: 'Required' },
    { do: 'refuse', why: 'required consistency cannot be reached: the VM is paused' },
  ],
}
test.each(Object.entries(quiesce))('%s', (_, [given, step]) =>
  expect(planContent({ ...base, report: undefined, ...given })).toEqual(step),
)
