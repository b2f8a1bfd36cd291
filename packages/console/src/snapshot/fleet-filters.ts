import { origins } from '@stillpoint/api/snapshot/keys'
import { ageFilters, consistencyFilters, type SnapshotFilters } from '../model/filters.ts'
import { originText } from '../model/snapshot-origin.ts'
import type { FilterGroup } from '../ui/filter-toolbar.tsx'

type Put = (changes: Partial<SnapshotFilters>) => void

/** What a list of snapshots of many VMs is narrowed down by. `namespaces`: to choose from; none, when there is one. */
export function fleetFilterGroups(namespaces: readonly string[], filters: SnapshotFilters, put: Put): FilterGroup[] {
  const several = (
    id: 'consistency' | 'origin' | 'vm' | 'namespace',
    title: string,
    options: FilterGroup['options'],
  ): FilterGroup => ({ id, title, options, chosen: filters[id], onChange: (chosen) => put({ [id]: chosen }) })
  return [
    several(
      'consistency',
      'Consistency',
      consistencyFilters.map((value) => ({ value, label: value })),
    ),
    {
      id: 'age',
      title: 'Age',
      options: Object.entries(ageFilters).map(([value, { label }]) => ({ value, label })),
      chosen: filters.age === '' ? [] : [filters.age],
      // One at a time: the last one that was chosen.
      onChange: (chosen) => put({ age: chosen.at(-1) ?? '' }),
    },
    several('origin', 'Origin', [
      ...origins.map((value) => ({ value, label: originText(value) })),
      { value: 'unknown', label: 'Not told' },
    ]),
    several('vm', 'VM', [
      { value: 'there', label: 'VM there' },
      { value: 'gone', label: 'VM gone' },
    ]),
    ...(namespaces.length > 1
      ? [
          several(
            'namespace',
            'Namespace',
            namespaces.map((value) => ({ value, label: value })),
          ),
        ]
      : []),
  ]
}
