import { expect, test } from 'vitest'
import { type Observed, plan, type Step } from './plan.ts'

const base: Observed = {
  phase: 'Bound',
  deleting: false,
  protected: true,
  policy: 'Delete',
  ours: true,
  claim: 'bound',
}

const cases: Record<string, [Partial<Observed>, Step]> = {
  'a bound volume says so': [{ phase: 'Pending' }, { do: 'report', phase: 'Bound' }],
  'one of nobody is available': [{ claim: 'none' }, { do: 'report', phase: 'Available' }],
  'one whose claim went is released': [{ claim: 'gone' }, { do: 'report', phase: 'Released' }],
  'and then reclaimed': [{ claim: 'gone', phase: 'Released' }, { do: 'reclaim' }],
  'and tried again when that failed': [{ claim: 'gone', phase: 'Failed' }, { do: 'reclaim' }],
  'a retained one stays': [{ claim: 'gone', phase: 'Released', policy: 'Retain' }, { do: 'nothing' }],
  'until a person deletes it': [
    { claim: 'gone', phase: 'Released', policy: 'Retain', deleting: true },
    { do: 'unprotect' },
  ],
  'data that somebody else made is not deleted': [{ claim: 'gone', phase: 'Released', ours: false }, { do: 'nothing' }],
  'one in use survives its deletion': [{ deleting: true }, { do: 'nothing' }],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(plan({ ...base, ...given })).toEqual(step))
