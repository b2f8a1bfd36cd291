import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { expect, test } from 'vitest'
import { Milestones } from './milestones.ts'

const at = (seconds: number): Date => new Date(1_700_000_000_000 + seconds * 1_000)
const created = (seconds: number, uid = 'u'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name: 'thing', uid, creationTimestamp: at(seconds).toISOString() },
})
type Step = [type: 'added' | 'modified' | 'deleted', reached: string[], atSeconds: number]

/** What is news at each step of an object that was created at 0. */
function told(beganSeconds: number, steps: Step[]): [string[], number][] {
  const milestones = new Milestones<string>(at(beganSeconds))
  return steps.map(([type, reached, seconds]) => {
    const news = milestones.look({ type, object: created(0) }, reached, at(seconds))
    return [[...news.reached], news.seconds]
  })
}

const cases: Record<string, [number, Step[], [string[], number][]]> = {
  'each milestone once, from when it was seen to come': [
    -5,
    [
      ['added', [], 0.5],
      ['modified', ['done'], 1.5],
      ['modified', ['done', 'ready'], 2.5],
    ],
    [
      [[], 0],
      [['done'], 1],
      [['ready'], 2],
    ],
  ],
  'a lost status that comes back is no news': [
    -5,
    [
      ['added', ['done'], 0.5],
      ['modified', [], 1.5],
      ['modified', ['done'], 2.5],
    ],
    [
      [['done'], 0],
      [[], 1],
      [[], 2],
    ],
  ],
  'what was reached before the process began is not counted, what comes later is': [
    10,
    [
      ['added', ['done'], 11],
      ['modified', ['done', 'ready'], 20.999],
    ],
    [
      [[], 10.001],
      [['ready'], 20],
    ],
  ],
  'one that came and ended while nothing was seen is counted when it is': [
    -5,
    [['added', ['done'], 7.999]],
    [[['done'], 7]],
  ],
}
test.each(Object.entries(cases))('%s', (_, [began, steps, news]) => expect(told(began, steps)).toEqual(news))

test('one of the same name that comes after it is another', () => {
  const milestones = new Milestones<string>(at(-5))
  milestones.look({ type: 'added', object: created(0) }, ['done'], at(1))
  const gone = milestones.look({ type: 'deleted', object: created(0) }, ['done'], at(2))
  expect(gone).toMatchObject({ reached: [], earlier: ['done'] })
  expect(milestones.look({ type: 'added', object: created(3, 'v') }, ['done'], at(4)).reached).toEqual(['done'])
})
