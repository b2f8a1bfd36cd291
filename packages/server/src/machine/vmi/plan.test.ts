import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endCauses, type MachineState } from '../hypervisor/hypervisor.ts'
import { launchLimitMs, type ObservedVmi, planVmi, type VmiStep } from './plan.ts'

const now = new Date('2026-01-01T00:10:00Z')
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1_000)

function observed(given: Partial<ObservedVmi>): ObservedVmi {
  return {
    now,
    phase: 'Running',
    since: ago(60),
    graceSeconds: 30,
    acpi: true,
    held: true,
    startPaused: false,
    volumes: [],
    hasFolder: true,
    ...given,
  }
}

const guest: MachineState = { kind: 'running' }
const ended = (cause: (typeof endCauses)[number]): MachineState => ({ kind: 'ended', cause, message: 'm' })
const missing = { name: 'b', state: 'missing', reason: 'FailedPvcNotFound', message: 'PVC b does not exist' } as const
const waiting = { name: 'a', state: 'waiting', reason: 'NotAllDVsReady', message: 'filling' } as const

test.each<[string, Partial<ObservedVmi>, Partial<VmiStep> & { do: VmiStep['do'] }]>([
  ['a new instance is held first', { phase: '', held: false }, { do: 'hold' }],
  ['then it is pending', { phase: '', hasFolder: false }, { do: 'enter', phase: 'Pending' }],
  [
    'a pending one with all volumes is scheduled',
    { phase: 'Pending', hasFolder: false },
    { do: 'enter', phase: 'Scheduling' },
  ],
  [
    'what needs a person is told before what passes by itself',
    { phase: 'Pending', volumes: [waiting, missing] },
    { do: 'waitForVolumes', reason: 'FailedPvcNotFound' },
  ],
  ['a scheduled one is launched', { phase: 'Scheduling' }, { do: 'launch' }],
  [
    'a claim that vanished meanwhile is waited for',
    { phase: 'Scheduling', volumes: [missing] },
    { do: 'waitForVolumes', reason: 'FailedPvcNotFound' },
  ],
  [
    'a launch that another server finished goes on',
    { phase: 'Scheduling', machine: { kind: 'prelaunch' } },
    { do: 'run', paused: false },
  ],
  [
    'a launch that takes too long is given up',
    { phase: 'Scheduling', since: ago(launchLimitMs / 1_000 + 1) },
    { do: 'finish', phase: 'Failed', reason: 'LaunchDeadlineExceeded' },
  ],
  [
    'a guest that a holder has frozen is not yet asked to end',
    { machine: guest, deletedAt: ago(1), frozenForMs: 200 },
    { do: 'wait', recheckMs: 200 },
  ],
  [
    'but has half of its grace period to end in',
    { machine: guest, deletedAt: ago(10), frozenForMs: 30_000 },
    { do: 'wait', recheckMs: 5_000 },
  ],
  ['and is asked then, frozen or not', { machine: guest, deletedAt: ago(15), frozenForMs: 25_000 }, { do: 'shutdown' }],
  [
    'nor is it waited for when it is to end at once',
    { machine: guest, deletedAt: ago(1), graceSeconds: 0, frozenForMs: 200 },
    { do: 'end', cause: 'Quit' },
  ],
  ['CPUs start', { phase: 'Scheduled', machine: { kind: 'prelaunch' } }, { do: 'run', paused: false }],
  [
    'CPUs stay stopped when asked',
    { phase: 'Scheduled', machine: { kind: 'prelaunch' }, startPaused: true },
    { do: 'run', paused: true },
  ],
  ['a running one is left alone', { machine: guest }, { do: 'wait' }],
  ['a paused one is left alone', { machine: { kind: 'paused', cause: 'io-error' } }, { do: 'wait' }],
  ['a process that is gone without a trace is a failure', {}, { do: 'finish', phase: 'Failed', reason: 'Vanished' }],
  ['a guest that powered off has succeeded', { machine: ended('GuestShutdown') }, { do: 'finish', phase: 'Succeeded' }],
  ['a guest that panicked has failed', { machine: ended('GuestPanicked') }, { do: 'finish', phase: 'Failed' }],
  ['a restart of the computer is a failure', { machine: ended('HostRebooted') }, { do: 'finish', phase: 'Failed' }],
  ['a forced stop is no failure', { machine: ended('Quit'), deletedAt: ago(1) }, { do: 'finish', phase: 'Succeeded' }],
  [
    'a guest that had to be killed has failed',
    { machine: ended('Killed'), deletedAt: ago(31) },
    { do: 'finish', phase: 'Failed' },
  ],
  ['a deletion asks the guest to end', { machine: guest, deletedAt: ago(0) }, { do: 'shutdown' }],
  [
    'the guest is not asked too often',
    { machine: guest, deletedAt: ago(2), shutdownAskedAt: ago(2) },
    { do: 'wait', recheckMs: 3_000 },
  ],
  [
    'the guest is asked again, for it may have been booting',
    { machine: guest, deletedAt: ago(6), shutdownAskedAt: ago(5) },
    { do: 'shutdown' },
  ],
  [
    'after the grace period it is killed',
    { machine: guest, deletedAt: ago(30), shutdownAskedAt: ago(1) },
    { do: 'end', cause: 'Killed' },
  ],
  [
    'without ACPI a kill is no failure',
    { machine: guest, deletedAt: ago(30), acpi: false },
    { do: 'end', cause: 'Quit' },
  ],
  [
    'a grace period of zero does not ask',
    { machine: guest, deletedAt: ago(0), graceSeconds: 0 },
    { do: 'end', cause: 'Quit' },
  ],
  [
    'what has not run yet is simply ended',
    { phase: 'Scheduled', machine: { kind: 'prelaunch' }, deletedAt: ago(0) },
    { do: 'end', cause: 'Quit' },
  ],
  [
    'a pending one is deleted at once',
    { phase: 'Pending', deletedAt: ago(0), hasFolder: false },
    { do: 'finish', phase: 'Succeeded' },
  ],
  ['a final one gives its volumes back', { phase: 'Succeeded', machine: ended('GuestShutdown') }, { do: 'clean' }],
  ['a final one with only a folder left is cleaned', { phase: 'Failed' }, { do: 'clean' }],
  ['a clean final one stays as a record', { phase: 'Failed', hasFolder: false }, { do: 'wait' }],
  [
    'a clean final one that is deleted goes',
    { phase: 'Failed', hasFolder: false, deletedAt: ago(0) },
    { do: 'release' },
  ],
  ['a process that outlived a final phase is ended', { phase: 'Failed', machine: guest }, { do: 'end', cause: 'Quit' }],
])('%s', (_, given, expected) => {
  expect(planVmi(observed(given))).toMatchObject(expected)
})

const deaths = ['never', 'before', 'after effect'] as const

// The world of one instance: each pass does one step, and the server may die before it, or between its effect and
// the status that tells of it.
test('a deletion converges from wherever the server dies: no process, no volumes, no object', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...deaths), { maxLength: 60 }),
      fc.nat(40),
      fc.boolean(),
      fc.constantFrom(...endCauses),
      (passes, deleteAfter, obeys, cause) => {
        const world = {
          phase: '' as ObservedVmi['phase'],
          held: true,
          machine: undefined as MachineState | undefined,
          hasFolder: false,
          deletedAt: undefined as Date | undefined,
          askedAt: undefined as Date | undefined,
          seconds: 0,
          finals: 0,
        }
        const step = (dies: (typeof deaths)[number]): boolean => {
          world.seconds += 3
          const at = new Date(now.getTime() + world.seconds * 1_000)
          const next = planVmi(
            observed({
              now: at,
              since: at,
              phase: world.phase,
              held: world.held,
              machine: world.machine,
              hasFolder: world.hasFolder,
              deletedAt: world.deletedAt,
              shutdownAskedAt: world.askedAt,
            }),
          )
          if (dies === 'before') return false
          const status = (phase: ObservedVmi['phase']): void => {
            if (dies === 'after effect') return
            expect(['Succeeded', 'Failed'], 'a final phase stays').not.toContain(world.phase)
            world.phase = phase
          }
          switch (next.do) {
            case 'enter':
              status(next.phase)
              return false
            case 'launch':
              expect(world.machine, 'never two processes').toBeUndefined()
              world.hasFolder = true
              world.machine = { kind: 'prelaunch' }
              status('Scheduled')
              return false
            case 'run':
              world.machine = { kind: 'running' }
              status('Running')
              return false
            case 'shutdown':
              world.askedAt = dies === 'never' ? at : undefined
              if (obeys) world.machine = ended('GuestShutdown')
              return false
            case 'end':
              world.machine = ended(next.cause)
              return false
            case 'finish':
              // The process is gone before the phase says so.
              if (world.machine && world.machine.kind !== 'ended') world.machine = ended('Quit')
              status(next.phase)
              return false
            case 'clean':
              expect(world.machine?.kind ?? 'ended').toBe('ended')
              world.machine = undefined
              world.hasFolder = false
              return false
            case 'release':
              expect(world).toMatchObject({ machine: undefined, hasFolder: false })
              world.held = false
              return true
            default:
              return false
          }
        }
        passes.forEach((dies, i) => {
          if (i === deleteAfter) world.deletedAt = new Date(now.getTime() + world.seconds * 1_000)
          if (i === 20 && world.machine?.kind === 'running') world.machine = ended(cause)
          step(dies)
        })
        world.deletedAt ??= new Date(now.getTime() + world.seconds * 1_000)
        let gone = !world.held
        for (let i = 0; i < 40 && !gone; i += 1) gone = step('never')
        expect(gone).toBe(true)
      },
    ),
    { numRuns: 2_000 },
  )
})
