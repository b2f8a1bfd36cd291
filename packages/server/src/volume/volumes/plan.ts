// Pending ─→ Bound ─→ claim gone: Released ─→ delete-volume ─→ delete-object ─→ unprotect      (policy Delete)
//                                  Released stays, until a person deletes it ─→ unprotect      (policy Retain)

export type Phase = 'Pending' | 'Available' | 'Bound' | 'Released' | 'Failed'

export interface Observed {
  phase?: Phase
  deleting: boolean
  protected: boolean
  policy: 'Delete' | 'Retain'
  /** Made by this provisioner, with a driver that is connected: its data is ours to delete. */
  ours: boolean
  /** `none`: not reserved for any claim. `waiting`: its claim is not bound to it yet. */
  claim: 'none' | 'waiting' | 'bound' | 'gone'
}

export type Step =
  | { do: 'nothing' }
  | { do: 'report'; phase: Phase }
  /** Deletes the driver's volume, then the object. */
  | { do: 'reclaim' }
  | { do: 'unprotect' }

export function plan({ phase, deleting, protected: held, policy, ours, claim }: Observed): Step {
  const inUse = claim === 'waiting' || claim === 'bound'
  if (!inUse && (deleting || claim === 'gone')) {
    if (deleting && !held) return { do: 'nothing' }
    // Told before it is done: a deletion that fails leaves Released behind and not a lie.
    if (claim === 'gone' && phase !== 'Released' && phase !== 'Failed') return { do: 'report', phase: 'Released' }
    if (policy === 'Delete' && ours) return { do: 'reclaim' }
    return deleting ? { do: 'unprotect' } : { do: 'nothing' }
  }
  const wanted: Phase = claim === 'bound' ? 'Bound' : claim === 'none' ? 'Available' : 'Pending'
  return phase === wanted ? { do: 'nothing' } : { do: 'report', phase: wanted }
}
