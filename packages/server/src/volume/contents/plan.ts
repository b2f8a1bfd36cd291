// A content outlives its VolumeSnapshot only on purpose:
//
//   deleting, snapshot gone ─→ delete-snapshot (policy Delete) ─→ release        snapshot there ─→ nothing

export interface Observed {
  deleting: boolean
  protected: boolean
  policy: 'Delete' | 'Retain'
  /** The VolumeSnapshot it is bound to still exists. */
  owned: boolean
  snapshotId?: string
}

export type Step = { do: 'nothing' } | { do: 'delete-snapshot'; snapshotId: string } | { do: 'release' }

export function plan({ deleting, protected: ours, policy, owned, snapshotId }: Observed): Step {
  // Never because the snapshot is merely absent: the content may have been applied to another cluster first.
  if (!deleting || !ours || owned) return { do: 'nothing' }
  if (policy === 'Delete' && snapshotId !== undefined) return { do: 'delete-snapshot', snapshotId }
  return { do: 'release' }
}
