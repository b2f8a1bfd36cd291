import type { Condition } from '@stillpoint/api/meta/condition'

/**
 * The list with one condition set. Replaced whole only when status or reason differs, so that the transition
 * time tells when; order is the order of first appearance. (spec snapshot-restore a.2)
 */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  { type, status, reason, message }: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
  now: Date,
): Condition[] {
  const list = conditions ?? []
  const at = list.findIndex((condition) => condition.type === type)
  const old = list[at]
  if (old?.status === status && old.reason === reason && old.message === message) return [...list]
  const entry: Condition = {
    type,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    lastProbeTime: null,
    lastTransitionTime:
      old !== undefined && old.status === status && old.reason === reason
        ? (old.lastTransitionTime ?? rfc3339(now))
        : rfc3339(now),
  }
  return at === -1 ? [...list, entry] : list.with(at, entry)
}

export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type)
}

/** A time as Kubernetes writes it: UTC, whole seconds. */
export function rfc3339(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}
