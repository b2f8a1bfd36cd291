import { failure } from '@stillpoint/api/meta/status-error'
import { frozenByAnotherCause } from '@stillpoint/api/snapshot/keys'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import { type GuestHold, holdOf } from './guest.ts'

let bench: Bench
let asked: string[]
/** What the guest answers to `freeze` and `unfreeze`. */
let answers: { freeze?: Error; unfreeze?: Error }

beforeAll(async () => {
  bench = await startBench()
  for (const action of ['freeze', 'unfreeze'] as const)
    bench.subresources.set(`subresources.kubevirt.io/virtualmachineinstances/${action}`, async ({ body }) => {
      asked.push(`${action} ${(body as { holder: string }).holder}`)
      const answer = answers[action]
      if (answer) throw answer
      return { code: 200 }
    })
})
afterAll(() => bench.close())

const byAnother = failure(409, 'Conflict', 'guest is frozen by backup for at most 9 s more', {
  causes: [{ reason: frozenByAnotherCause, field: 'holder', message: '' }],
})
const ended = failure(409, 'Conflict', 'VMI is not running')

const freeze = (hold: GuestHold) => hold.freeze()
const thaw = (hold: GuestHold) => hold.thaw()
test.each<[string, typeof answers, ((hold: GuestHold) => Promise<void>)[], { asked: string[]; error?: string }]>([
  ['freezes and thaws in its own name', {}, [freeze, thaw], { asked: ['freeze uid-1', 'unfreeze uid-1'] }],
  [
    'does not thaw what another has frozen, with or without a holder',
    { freeze: byAnother },
    [freeze, thaw],
    { asked: ['freeze uid-1'], error: byAnother.message },
  ],
  [
    'thaws after a freeze that failed otherwise, for it may have frozen all the same',
    { freeze: ended },
    [freeze, thaw],
    { asked: ['freeze uid-1', 'unfreeze uid-1'], error: ended.message },
  ],
  [
    'has nothing frozen when another has by now',
    { unfreeze: byAnother },
    [freeze, thaw],
    { asked: ['freeze uid-1', 'unfreeze uid-1'] },
  ],
  [
    'still owes a thaw that was refused for another reason',
    { unfreeze: ended },
    [thaw],
    { asked: ['unfreeze uid-1'], error: ended.message },
  ],
])('a hold %s', async (_, given, calls, expected) => {
  asked = []
  answers = given
  const hold = holdOf(bench.client, { namespace: 'default', name: 'vm' }, 'uid-1')
  const errors: string[] = []
  for (const call of calls) await call(hold).catch((error: Error) => errors.push(error.message))
  expect({ asked, error: errors.join() }).toEqual({ error: '', ...expected })
})
