import type { Tone } from './snapshot-status.ts'

/** Why something is not as it should be in the end. */
export interface Why {
  tone: Tone
  title: string
  /** What happened, or what is waited for. */
  happened: string
  /** The words of whoever found it. */
  told?: readonly string[]
  /** Milliseconds in this state. */
  sinceMs?: number | undefined
  /** What a person can do. */
  remedy: string
}
