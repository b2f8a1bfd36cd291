// A unit is what is cut at one instant: one VolumeSnapshot, or the members of a cut set.
//
//   members missing ──3 s──→ go-alone ─→ (each its own unit)
//   all there ─→ cut ─→ statuses and contents written ─→ ready
//   deleting: once nothing of its unit is undecided ─→ delete-content ─→ release ─→ (contents/: the driver's snapshot)
//
// Whether the driver has a cut is never remembered: `cut` is named from UIDs, so that repeating it finds the cut that
// was made before a crash. A member is *decided* when its content object names the driver's snapshot. Until then a
// repeat needs the whole unit, so no member of it may go, not even one that is being deleted. Once a status names the
// content, nothing is ever cut for that member again: later data under an earlier time would be a lie.

export interface Target {
  driver: string
  volumeId: string
  /** Capacity of the source; what a restore needs at least. */
  sizeBytes: number
  volumeMode: string
  className: string
  deletionPolicy: 'Delete' | 'Retain'
  parameters: Record<string, string>
}

export interface Member {
  /** `namespace/name` */
  key: string
  uid: string
  deleting: boolean
  /** Carries our finalizer. */
  protected: boolean
  /** To be cut without its set. */
  alone: boolean
  createdAt: Date
  /** What to cut, or why that cannot be said yet. */
  target: { ready: Target } | { blocked: string }
  /** The text of its `status.error`. */
  reportedError?: string
  /** Its status says all that its content says. */
  reported: boolean
  content: 'none' | 'unnamed' | 'named' | 'lost'
  contentName: string
  contentReady: boolean
  contentPolicy: 'Delete' | 'Retain'
  contentDeleting: boolean
  /** Claims that are being made from it. */
  usedBy: readonly string[]
}

export interface Observed {
  /** Undefined: a snapshot by itself. */
  set?: { id: string; size: number; broken: boolean }
  members: readonly Member[]
  groupable: ReadonlySet<string>
  now: Date
}

export type Call =
  | { kind: 'single'; driver: string; key: string }
  | { kind: 'group'; driver: string; setId: string; keys: readonly string[] }

export type Step =
  | { do: 'wait'; recheckMs: number; because: string }
  | { do: 'go-alone'; keys: readonly string[]; because: string }
  | { do: 'cut'; calls: readonly Call[] }
  | { do: 'block'; key: string; message: string }
  | { do: 'report'; key: string }
  | { do: 'refresh'; key: string }
  | { do: 'delete-content'; key: string; contentName: string }
  | { do: 'release'; key: string }

/** How long the members of a set are waited for: a guest may stand still meanwhile. */
export const setLimitMs = 3_000
const refreshMs = 1_000

/** Decides what to do for a unit. Steps for different members do not depend on each other. */
export function plan(observed: Observed): Step[] {
  const undecided = observed.members.filter(isUndecided)
  if (undecided.length > 0) return observed.set ? planSet(observed, observed.set, undecided) : planSingle(undecided)
  return observed.members.flatMap(planDecided)
}

function planSingle(undecided: readonly Member[]): Step[] {
  return undecided.flatMap((member): Step[] => {
    if ('ready' in member.target)
      return [{ do: 'cut', calls: [{ kind: 'single', driver: member.target.ready.driver, key: member.key }] }]
    // Its claim is kept while a cut of it may exist, so without a volume there never was one.
    if (member.deleting) return release(member)
    return block(member, member.target.blocked)
  })
}

function planSet(observed: Observed, set: NonNullable<Observed['set']>, undecided: readonly Member[]): Step[] {
  const { members, now } = observed
  const because = whyNotTogether(members, set)
  if (because === undefined) return [{ do: 'cut', calls: callsOf(observed, set.id) }]

  // Without the others there was no cut, since a cut takes all of them: one that is being deleted may go.
  const leaving = undecided.filter(({ deleting }) => deleting).flatMap(release)
  const staying = undecided.filter(({ deleting }) => !deleting)
  if (staying.length === 0) return [...leaving, ...decidedOf(members)]
  const waitedMs = now.getTime() - Math.max(...staying.map(({ createdAt }) => createdAt.getTime()))
  // Creation times are whole seconds, so a second is given on top.
  const leftMs = set.broken ? 0 : setLimitMs + 1_000 - waitedMs
  if (leftMs > 0) return [...leaving, { do: 'wait', recheckMs: leftMs, because }]
  return [...leaving, { do: 'go-alone', keys: staying.map(({ key }) => key), because }]
}

function whyNotTogether(
  members: readonly Member[],
  { size, broken }: { size: number; broken: boolean },
): string | undefined {
  if (broken) return 'another member of its set was cut alone'
  if (members.length !== size) return `its set has ${members.length} of ${size} members`
  for (const { key, target } of members) if ('blocked' in target) return `${key}: ${target.blocked}`
  return undefined
}

/** One call per driver that cuts groups, and one per volume elsewhere. The same for the same members, always. */
function callsOf({ members, groupable }: Observed, setId: string): Call[] {
  const calls: Call[] = []
  const groups = new Map<string, string[]>()
  for (const { key, target } of members) {
    if (!('ready' in target)) continue
    const { driver } = target.ready
    if (groupable.has(driver)) groups.set(driver, [...(groups.get(driver) ?? []), key])
    else calls.push({ kind: 'single', driver, key })
  }
  for (const [driver, keys] of groups) calls.push({ kind: 'group', driver, setId, keys: keys.toSorted() })
  return calls
}

function decidedOf(members: readonly Member[]): Step[] {
  return members.filter((member) => !isUndecided(member)).flatMap(planDecided)
}

function isUndecided({ content }: Member): boolean {
  return content === 'none' || content === 'unnamed'
}

function planDecided(member: Member): Step[] {
  if (member.deleting) {
    if (!member.protected) return []
    if (member.content === 'lost') return release(member)
    if (member.usedBy.length > 0)
      return [{ do: 'wait', recheckMs: 30_000, because: `${member.usedBy.join(', ')} is being made from it` }]
    if (member.contentPolicy === 'Retain') return release(member)
    // The content waits for us in turn, so that it is never missed here while we are still to be released.
    return member.contentDeleting
      ? release(member)
      : [{ do: 'delete-content', key: member.key, contentName: member.contentName }]
  }
  if (member.content === 'lost') return block(member, `VolumeSnapshotContent ${member.contentName} is missing`)
  if (!member.contentReady)
    return [
      { do: 'refresh', key: member.key },
      { do: 'wait', recheckMs: refreshMs, because: 'not ready to use' },
    ]
  return member.reported ? [] : [{ do: 'report', key: member.key }]
}

function release(member: Member): Step[] {
  return member.protected ? [{ do: 'release', key: member.key }] : []
}

function block(member: Member, message: string): Step[] {
  return member.reportedError === message ? [] : [{ do: 'block', key: member.key, message }]
}
