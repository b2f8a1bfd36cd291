import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { expect, test } from 'vitest'
import { planRestore, type RestoreObserved, type RestoreStep } from './restore-plan.ts'
import { type ObservedRunState, retryAfterRefusal } from './start-plan.ts'
import { base, planned, restore, target } from './testing/observed-restore.ts'

const asked = { 'restore.stillpoint.dev/start-target': 'true' }
const noted = (strategy: string) => ({ ...asked, 'restore.stillpoint.dev/run-strategy': strategy })
const complete = { ...planned, complete: true, restoreTime: '2026-01-01T00:00:59Z' }
const failed = { ...planned, conditions: [{ type: 'Failure', status: 'True' as const, reason: 'no' }] }
const giving = {
  ...planned,
  conditions: [{ type: 'Progressing', status: 'False' as const, reason: 'VM restore is deleting' }],
}
const deletionTimestamp = '2026-01-01T00:00:30Z'
const run = target.run
const off = { ...target, restoreInProgress: undefined }
const restored = { ...off, switched: true }

const halted = { ...run, strategy: 'Halted' }
const always = { ...run, strategy: 'Always' }
const manual = { ...run, strategy: 'Manual' }
const rerun = { ...run, strategy: 'RerunOnFailure' }
const once = { ...run, strategy: 'Once' }
const made = (captured: string, strategy = 'Halted'): ObservedRunState => ({ ...run, strategy, made: { captured } })

function after(
  status: VirtualMachineRestore['status'],
  annotations: Record<string, string>,
  { deleted = false, spec = {} }: { deleted?: boolean; spec?: object } = {},
): Pick<RestoreObserved, 'restore'> {
  return { restore: restore(status, { metadata: { annotations, ...(deleted ? { deletionTimestamp } : {}) }, spec }) }
}
const done = (annotations: Record<string, string> = asked) => after(complete, annotations)
const inState = (of: ObservedRunState, more: Partial<typeof target> = {}): Pick<RestoreObserved, 'target'> => ({
  target: { ...restored, run: of, stopping: of.strategy === 'Halted', ...more },
})
const undone = (of: ObservedRunState, more: Partial<typeof target> = {}) => inState(of, { switched: false, ...more })

const nothing: RestoreStep = { do: 'wait' }
const request: RestoreStep = { do: 'requestStart' }
const waits: RestoreStep = { do: 'waitToStart' }
const set = (strategy: string, starts = true): RestoreStep => ({ do: 'setStrategy', strategy, starts })
const started = (text: string): RestoreStep => ({ do: 'settleStart', outcome: 'started', text })
const left = (text: string): RestoreStep => ({ do: 'settleStart', outcome: 'left', text })

const cases: Record<string, [Partial<RestoreObserved>, RestoreStep]> = {
  'starts nothing unasked': [{ ...done({}), ...inState(halted) }, nothing],
  'starts nothing when told not to': [
    { ...done({ 'restore.stillpoint.dev/start-target': 'false' }), ...inState(halted) },
    nothing,
  ],
  'starts nothing twice': [
    { ...done({ ...asked, 'restore.stillpoint.dev/started': '2026-01-01T00:01:00Z' }), ...inState(halted) },
    nothing,
  ],
  'starts nothing that was given up before': [
    { ...done({ ...asked, 'restore.stillpoint.dev/not-started': 'forbidden' }), ...inState(halted) },
    nothing,
  ],
  'starts nothing before the restore is complete': [
    { ...after(planned, asked), ...inState(halted) },
    { do: 'complete' },
  ],
  'unlocks before it starts': [{ ...done(), ...inState(halted, { restoreInProgress: 'back' }) }, { do: 'unlock' }],

  'a VM that was off is set to run, as its start action does': [{ ...done(), ...inState(halted) }, set('Always')],
  'a VM that is started by request is asked to start': [{ ...done(), ...inState(manual) }, request],
  'and so is one that runs again after failures': [{ ...done(), ...inState(rerun) }, request],
  'one that starts by itself is left to that': [{ ...done(), ...inState(always) }, started('run strategy Always')],
  'and so is one that runs once': [{ ...done(), ...inState(once) }, started('run strategy Once')],
  'one that has run its once is not run another time': [
    { ...done(), ...inState({ ...once, ended: true }) },
    left('run strategy Once starts no guest that has ended'),
  ],
  'a strategy nobody knows is left alone': [
    { ...done(), ...inState({ ...run, strategy: 'WaitAsReceiver' }) },
    left('run strategy WaitAsReceiver is not known'),
  ],

  'what was stopped gets its Always back': [{ ...done(noted('Always')), ...inState(halted) }, set('Always')],
  'what was stopped gets its Once back': [{ ...done(noted('Once')), ...inState(halted) }, set('Once')],
  'what was stopped by request is started by request': [{ ...done(noted('Manual')), ...inState(manual) }, request],
  'what somebody has switched off meanwhile stays off': [
    { ...done(noted('Manual')), ...inState(halted) },
    left('its run strategy is Halted now'),
  ],
  'what somebody has given another strategy keeps that': [
    { ...done(noted('Always')), ...inState(manual) },
    left('its run strategy is Manual now'),
  ],
  'what has its strategy again already needs nothing': [
    { ...done(noted('Always')), ...inState(always) },
    started('run strategy Always'),
  ],

  'a new VM gets the strategy of the snapshotted one': [{ ...done(), ...inState(made('Always')) }, set('Always')],
  'a new VM of one that was off is set to run': [{ ...done(), ...inState(made('Halted')) }, set('Always')],
  'a new VM of one with an unknown strategy is set to run': [{ ...done(), ...inState(made('Else')) }, set('Always')],
  'a new VM to be started by request gets its strategy first': [
    { ...done(), ...inState(made('Manual')) },
    set('Manual', false),
  ],
  'and is asked to start then': [{ ...done(), ...inState(made('Manual', 'Manual')) }, request],
  'a new VM with a strategy by patches keeps that': [
    { ...done(), ...inState(made('Always', 'Manual')) },
    left('its run strategy is Manual now'),
  ],

  'what runs is through': [{ ...done(), ...inState(manual, { running: true }) }, started('it runs already')],
  'what somebody is stopping is left alone': [
    { ...done(), ...inState(manual, { running: true, stopping: true }) },
    left('somebody is stopping it'),
  ],
  'what has been asked to start is through': [
    { ...done(), ...inState({ ...manual, startAsked: true }) },
    started('a start is asked for'),
  ],
  'what this restore has started is through, even if it is off again': [
    { ...done(noted('Always')), ...inState({ ...halted, startedHere: true }) },
    started('it was started already'),
  ],
  'a stop that is not through yet is waited for': [{ ...done(), ...inState(manual, { stopping: true }) }, waits],
  'a guest that is to run again after a failure is waited for': [
    { ...done(), ...inState({ ...rerun, ended: true }) },
    waits,
  ],
  'waits while a snapshot holds it': [{ ...done(), ...inState(halted, { snapshotInProgress: 'snap' }) }, waits],
  'waits while another restore holds it': [{ ...done(), ...inState(manual, { restoreInProgress: 'other' }) }, waits],
  'a VM that was restored by another since is left to that': [
    { ...done(), ...inState(halted, { switched: false }) },
    left('it was restored again, or replaced, meanwhile'),
  ],
  'a VM that goes is not started': [{ ...done(), ...inState(halted, { deleting: true }) }, nothing],
  'a VM that is gone is not started': [{ ...done(), target: undefined }, nothing],

  'after a refusal it waits': [
    { ...done(), ...inState(halted), startNotBefore: new Date('2026-01-01T00:01:04Z') },
    { do: 'waitToStart', recheckMs: 4_000 },
  ],
  'and then tries again': [
    { ...done(), ...inState(manual), startNotBefore: new Date('2026-01-01T00:01:00Z') },
    request,
  ],
  'a start that waits keeps the old disks from nothing': [
    { ...done(), ...inState(halted, { snapshotInProgress: 'snap' }), toDelete: 1 },
    { do: 'deleteObsolete' },
  ],
  'a start that waits keeps the history from nothing': [
    { ...done(), ...inState(halted, { snapshotInProgress: 'snap' }), history: '[]' },
    { do: 'record', history: '[]' },
  ],

  'notes the strategy before it stops the VM': [
    {
      ...after(planned, asked, { spec: { targetReadinessPolicy: 'StopTarget' } }),
      target: { ...off, running: true, run: always },
    },
    { do: 'noteStrategy', strategy: 'Always' },
  ],
  'notes it again when it has changed': [
    {
      ...after(planned, noted('Manual'), { spec: { targetReadinessPolicy: 'StopTarget' } }),
      target: { ...off, running: true, run: always },
    },
    { do: 'noteStrategy', strategy: 'Always' },
  ],
  'stops it when that is noted': [
    {
      ...after(planned, noted('Always'), { spec: { targetReadinessPolicy: 'StopTarget' } }),
      target: { ...off, running: true, run: always },
    },
    { do: 'stopTarget' },
  ],
  'notes nothing when it is not to start it': [
    {
      ...after(planned, {}, { spec: { targetReadinessPolicy: 'StopTarget' } }),
      target: { ...off, running: true, run: always },
    },
    { do: 'stopTarget' },
  ],

  'failed, it starts again what it has stopped': [
    { ...after(failed, noted('Always')), ...undone(halted) },
    set('Always'),
  ],
  'failed, it starts again by request what it has stopped': [
    { ...after(failed, noted('Manual')), ...undone(manual) },
    request,
  ],
  'failed, it starts nothing that was off': [{ ...after(failed, asked), ...undone(halted) }, nothing],
  'failed, it unlocks first': [
    { ...after(failed, noted('Always')), ...undone(halted, { restoreInProgress: 'back' }) },
    { do: 'unlock' },
  ],
  'failed, it undoes first what was replaced in place': [
    {
      ...after(failed, noted('Always')),
      ...undone(halted, { restoreInProgress: 'back', fenced: true }),
      retained: [{ volume: 'pv-1', claim: 'ours', reserved: false, ownerGone: false }],
    },
    { do: 'removeRestored', volume: 'pv-1' },
  ],
  'given up, it starts again what it has stopped': [
    { ...after(giving, noted('Always'), { deleted: true }), ...undone(halted) },
    set('Always'),
  ],
  'given up, the guest may still be on its way down': [
    { ...after(giving, noted('Always'), { deleted: true }), ...undone(halted, { running: true }) },
    set('Always'),
  ],
  'given up, a request waits for the guest to be down': [
    { ...after(giving, noted('Manual'), { deleted: true }), ...undone(manual, { running: true, stopping: true }) },
    { do: 'waitToStart', recheckMs: 270_000 },
  ],
  'given up, it is not held for ever': [
    {
      ...after(giving, noted('Manual'), { deleted: true }),
      ...undone(manual, { running: true, stopping: true }),
      now: new Date('2026-01-01T00:05:30Z'),
    },
    { do: 'settleStart', outcome: 'failed', text: 'it could not be started in time' },
  ],
  'given up, it starts nothing that was off': [
    { ...after(giving, asked, { deleted: true }), ...undone(halted) },
    { do: 'removeFinalizer' },
  ],
  'given up after the switch, it starts nothing': [
    { ...after(giving, noted('Always'), { deleted: true }), ...inState(halted) },
    { do: 'removeFinalizer' },
  ],
  'given up, it discards what was made before it starts': [
    { ...after(giving, noted('Always'), { deleted: true }), ...undone(halted), halfMade: 1 },
    { do: 'discard' },
  ],
  'deleted when it was complete, it still starts': [
    { ...after({ ...giving, complete: true }, asked, { deleted: true }), ...inState(halted) },
    set('Always'),
  ],
  'deleted with its VM, it starts nothing': [
    { ...after(giving, noted('Always'), { deleted: true }), ...undone(halted, { deleting: true }) },
    { do: 'removeFinalizer' },
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(planRestore({ ...base, ...given })).toEqual(step))

test('a refused start is tried eight times within three minutes', () => {
  const waits = Array.from({ length: 8 }, (_, index) => retryAfterRefusal(index + 1))
  expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, undefined])
})
