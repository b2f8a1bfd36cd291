const keptMs = 10 * 60_000
const keptRevisions = 10_000

interface Mark {
  at: number
  revision: number
}

/** Decides up to which revision history may go: ten minutes and ten thousand revisions are always kept. */
export class CompactionPlan {
  readonly #marks: Mark[] = []

  /** To be asked from time to time; the answer never goes back. */
  target(now: Date, revision: number): number {
    const at = now.getTime()
    this.#marks.push({ at, revision })
    let old = 0
    while ((this.#marks[1]?.at ?? Number.POSITIVE_INFINITY) <= at - keptMs) this.#marks.shift()
    const [first] = this.#marks
    if (first && first.at <= at - keptMs) old = first.revision
    return Math.max(0, Math.min(old, revision - keptRevisions))
  }
}
