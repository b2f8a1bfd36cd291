import { expect, test } from 'vitest'
import { type Member, type Observed, plan, type Step } from './plan.ts'

const now = new Date('2026-01-01T00:00:10Z')
const target = {
  driver: 'd',
  volumeId: 'v',
  sizeBytes: 1,
  volumeMode: 'Block',
  className: 'c',
  deletionPolicy: 'Delete' as const,
  parameters: {},
}
const fresh: Member = {
  key: 'ns/a',
  uid: 'ua',
  deleting: false,
  protected: true,
  alone: false,
  createdAt: new Date('2026-01-01T00:00:09Z'),
  target: { ready: target },
  reported: false,
  content: 'none',
  contentName: 'snapcontent-ua',
  contentReady: false,
  contentPolicy: 'Delete',
  contentDeleting: false,
  usedBy: [],
}
const other: Member = { ...fresh, key: 'ns/b', uid: 'ub', contentName: 'snapcontent-ub' }
const blocked: Member = { ...other, target: { blocked: 'not bound' } }
const decided: Member = { ...fresh, content: 'named', contentReady: true }
const done: Member = { ...decided, reported: true }
const gone = (member: Member): Member => ({ ...member, deleting: true })
const old = (member: Member): Member => ({ ...member, createdAt: new Date('2026-01-01T00:00:00Z') })
const set = { id: 's', size: 2, broken: false }

const groupCut: Step = {
  do: 'cut',
  calls: [{ kind: 'group', driver: 'd', setId: 's', keys: ['ns/a', 'ns/b'] }],
}
const singleCut: Step = { do: 'cut', calls: [{ kind: 'single', driver: 'd', key: 'ns/a' }] }

const cases: Record<string, [Partial<Observed>, Step[]]> = {
  'a single one is cut': [{ members: [fresh] }, [singleCut]],
  'a single one whose claim is not bound says so': [
    { members: [{ ...fresh, target: { blocked: 'not bound' } }] },
    [{ do: 'block', key: 'ns/a', message: 'not bound' }],
  ],
  'what is said already is not said again': [
    { members: [{ ...fresh, target: { blocked: 'not bound' }, reportedError: 'not bound' }] },
    [],
  ],
  'a complete set is cut as one group': [{ set, members: [other, fresh] }, [groupCut]],
  'a set of a driver without groups is cut one by one': [
    { set, members: [fresh, other], groupable: new Set() },
    [{ do: 'cut', calls: ['ns/a', 'ns/b'].map((key) => ({ kind: 'single', driver: 'd', key })) }],
  ],
  'a set with a member missing is waited for': [
    { set, members: [fresh] },
    [{ do: 'wait', recheckMs: 3_000, because: 'its set has 1 of 2 members' }],
  ],
  'a set that stays incomplete is cut alone': [
    { set, members: [old(fresh)] },
    [{ do: 'go-alone', keys: ['ns/a'], because: 'its set has 1 of 2 members' }],
  ],
  'a set with a member that cannot be cut is waited for, then cut alone': [
    { set, members: [old(fresh), old(blocked)] },
    [{ do: 'go-alone', keys: ['ns/a', 'ns/b'], because: 'ns/b: not bound' }],
  ],
  'the rest of a broken set does not wait': [
    { set: { ...set, broken: true }, members: [fresh] },
    [{ do: 'go-alone', keys: ['ns/a'], because: 'another member of its set was cut alone' }],
  ],
  'a set cut before a crash is cut again as a whole, which finds the cut': [
    { set, members: [done, other] },
    [groupCut],
  ],
  'no member goes while another is undecided': [{ set, members: [gone(done), other] }, [groupCut]],
  'one deleted before its set was complete was never cut, and goes': [
    { set, members: [gone(fresh)] },
    [{ do: 'release', key: 'ns/a' }],
  ],
  'one deleted before it was decided is cut, to find what there may be': [{ members: [gone(fresh)] }, [singleCut]],
  'one deleted without a volume was never cut, and goes': [
    { members: [gone({ ...fresh, target: { blocked: 'gone' } })] },
    [{ do: 'release', key: 'ns/a' }],
  ],
  'a content that is named is reported': [{ members: [decided] }, [{ do: 'report', key: 'ns/a' }]],
  'nothing is left to do when all is told': [{ members: [done] }, []],
  'one that is not ready yet is asked for again': [
    { members: [{ ...decided, contentReady: false }] },
    [
      { do: 'refresh', key: 'ns/a' },
      { do: 'wait', recheckMs: 1_000, because: 'not ready to use' },
    ],
  ],
  'one whose content was lost is never cut again': [
    { members: [{ ...fresh, content: 'lost' }] },
    [{ do: 'block', key: 'ns/a', message: 'VolumeSnapshotContent snapcontent-ua is missing' }],
  ],
  'deletion first asks for that of the content': [
    { members: [gone(done)] },
    [{ do: 'delete-content', key: 'ns/a', contentName: 'snapcontent-ua' }],
  ],
  'and lets go when that is under way': [
    { members: [gone({ ...done, contentDeleting: true })] },
    [{ do: 'release', key: 'ns/a' }],
  ],
  'a retained content stays': [
    { members: [gone({ ...done, contentPolicy: 'Retain' })] },
    [{ do: 'release', key: 'ns/a' }],
  ],
  'one that a claim is being made from waits': [
    { members: [gone({ ...done, usedBy: ['ns/new'] })] },
    [{ do: 'wait', recheckMs: 30_000, because: 'ns/new is being made from it' }],
  ],
}
test.each(Object.entries(cases))('%s', (_, [given, steps]) => {
  expect(plan({ members: [], groupable: new Set(['d']), now, ...given })).toEqual(steps)
})
