import type { KubeObject } from '../meta/object-meta.ts'
import type { StatusCause } from '../meta/status-error.ts'
import { expiresAtAnnotation, lockedKey } from './keys.ts'

/** What is wrong with an `expires-at` that is no time, and what to write instead. */
export const expiryRemedy = 'write RFC 3339, for example 2026-08-03T12:00:00Z, or remove the annotation'

const form = /^(\d{4}-\d\d-\d\d)T([01]\d|2[0-3])(:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/i

/**
 * The instant an `expires-at` annotation names, RFC 3339; undefined when it names none. Never earlier than what is
 * written: parts of a millisecond count as a whole one.
 */
export function parseExpiresAt(text: string): Date | undefined {
  const [, day = '', hour = '', rest = '', fraction = '', zone = ''] = form.exec(text) ?? []
  const midnight = Date.parse(`${day}T00:00:00Z`)
  // Date counts on from a day its month does not have: 30 February would be 2 March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined
  const ms = Date.parse(`${day}T${hour}${rest}${zone.toUpperCase()}`)
  return Number.isNaN(ms) ? undefined : new Date(ms + Math.ceil(Number(`0${fraction}`) * 1_000))
}

/** Somebody has said that it is not to be deleted by itself. */
export function isLocked({ metadata: { labels, annotations } }: KubeObject): boolean {
  return labels?.[lockedKey] === 'true' || annotations?.[lockedKey] === 'true'
}

/** Why a new or changed `expires-at` is refused. One that was stored before is left alone: its object must stay writable. */
export function expiryCause(object: KubeObject, old: KubeObject | undefined): StatusCause | undefined {
  const text = object.metadata.annotations?.[expiresAtAnnotation]
  if (text === undefined || text === old?.metadata.annotations?.[expiresAtAnnotation]) return undefined
  if (parseExpiresAt(text) !== undefined) return undefined
  return {
    reason: 'FieldValueInvalid',
    field: `metadata.annotations[${expiresAtAnnotation}]`,
    message: `${expiresAtAnnotation} is not a time: ${quoted(text)}; ${expiryRemedy}`,
  }
}

const shownLength = 64

/** An annotation may be long, a message not. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > shownLength ? `${text.slice(0, shownLength)}…` : text)
}
