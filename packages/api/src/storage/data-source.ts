import type { PersistentVolumeClaimSpec } from './kinds.ts'

/** Where a claim's content comes from: `dataSourceRef`, or the older `dataSource`. */
export function dataSourceOf(spec: PersistentVolumeClaimSpec | undefined) {
  return spec?.dataSourceRef ?? spec?.dataSource
}
