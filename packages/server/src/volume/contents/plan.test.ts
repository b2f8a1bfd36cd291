import { expect, test } from 'vitest'
import { type Observed, plan, type Step } from './plan.ts'

const base: Observed = { deleting: true, protected: true, policy: 'Delete', owned: false, snapshotId: 's' }

const cases: Record<string, [Partial<Observed>, Step]> = {
  'deletion takes the snapshot along': [{}, { do: 'delete-snapshot', snapshotId: 's' }],
  'a retained snapshot is let go': [{ policy: 'Retain' }, { do: 'release' }],
  'one whose VolumeSnapshot is there waits for it': [{ owned: true }, { do: 'nothing' }],
  'an absent VolumeSnapshot alone deletes nothing': [{ deleting: false }, { do: 'nothing' }],
}
test.each(Object.entries(cases))('%s', (_, [given, step]) => expect(plan({ ...base, ...given })).toEqual(step))
