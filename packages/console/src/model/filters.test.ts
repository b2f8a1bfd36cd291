import { originLabel } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clearFilters, filterSnapshots, filtersIn, isFiltered, putFilters, type SnapshotFilters } from './filters.ts'
import { hoursAgo, now, snapshot, succeeded } from './testing/objects.ts'

const none = filtersIn(new URLSearchParams())

describe('filters in an address', () => {
  test('come back as they were put there, and leave the rest alone', () => {
    const params = new URLSearchParams('view=tree&name=old')
    const filters = { ...none, status: ['Failed', 'Succeeded'], label: ['a=b & c'], name: 'nightly', age: 'week' }
    putFilters(params, filters)
    expect(filtersIn(new URLSearchParams(params.toString()))).toEqual(filters)
    expect(params.get('view')).toBe('tree')
    clearFilters(params)
    expect(params.toString()).toBe('view=tree')
  })

  test('whatever they are, come back from the text of an address', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1 })
    const words = fc.array(word, { maxLength: 3 })
    const given: fc.Arbitrary<SnapshotFilters> = fc.record({
      status: words,
      label: words,
      consistency: words,
      origin: words,
      vm: words,
      namespace: words,
      name: fc.string({ unit: 'grapheme' }),
      age: fc.string({ unit: 'grapheme' }),
    })
    fc.assert(
      fc.property(given, given, (before, filters) => {
        const params = new URLSearchParams('view=tree')
        putFilters(params, before)
        putFilters(params, filters)
        const again = new URLSearchParams(params.toString())
        expect(filtersIn(again)).toEqual(filters)
        expect(again.get('view')).toBe('tree')
      }),
    )
  })

  test('that are empty leave no trace', () => {
    const params = new URLSearchParams('status=Failed&name=x')
    putFilters(params, { status: [], name: '' })
    expect(params.toString()).toBe('')
    expect(isFiltered(filtersIn(params))).toBe(false)
    expect(isFiltered({ ...none, vm: ['gone'] })).toBe(true)
  })
})

const failed = snapshot({ metadata: { name: 'failed' }, status: { phase: 'Failed' } })
const fresh = snapshot({ metadata: { name: 'fresh', namespace: 'team', creationTimestamp: hoursAgo(0) }, status: {} })
const labelled = snapshot({
  metadata: { name: 'labelled', labels: { tier: 'gold', [originLabel]: 'schedule' }, creationTimestamp: hoursAgo(900) },
  status: { ...succeeded, sourceIndications: [{ indication: 'NoGuestAgent', message: '' }] },
})
const all = [failed, fresh, labelled]
const vmThere = ({ metadata }: VirtualMachineSnapshot) =>
  metadata.name === 'failed' ? false : metadata.name === 'fresh' ? true : undefined

const cases: Record<string, [Partial<SnapshotFilters>, string[]]> = {
  'nothing narrows nothing': [{}, ['failed', 'fresh', 'labelled']],
  'any of several statuses; one that nobody has looked at yet is in progress': [
    { status: ['Failed', 'InProgress'] },
    ['failed', 'fresh'],
  ],
  'a part of the name, in any case': [{ name: ' FRE ' }, ['fresh']],
  'a whole label': [{ label: ['tier=gold'] }, ['labelled']],
  'a label of another value': [{ label: ['tier=gol'] }, []],
  'a part of a label': [{ label: ['gol'] }, ['labelled']],
  'all of several labels': [{ label: ['tier=gold', 'tier=silver'] }, []],
  'an origin': [{ origin: ['schedule'] }, ['labelled']],
  'no origin': [{ origin: ['unknown'] }, ['failed', 'fresh']],
  'a namespace': [{ namespace: ['team'] }, ['fresh']],
  'a consistency': [{ consistency: ['Crash-consistent'] }, ['labelled']],
  younger: [{ age: 'day' }, ['failed', 'fresh']],
  older: [{ age: 'over-month' }, ['labelled']],
  'an age that nobody knows': [{ age: 'toString' }, ['failed', 'fresh', 'labelled']],
  'a VM that is gone, as far as that is known': [{ vm: ['gone'] }, ['failed']],
  'several at once': [{ status: ['Succeeded'], name: 'fail' }, []],
}
test.each(Object.entries(cases))('%s', (_, [filters, expected]) => {
  const passed = filterSnapshots(all, { ...none, ...filters }, { now, vmThere })
  expect(passed.map(({ metadata }) => metadata.name)).toEqual(expected)
})
