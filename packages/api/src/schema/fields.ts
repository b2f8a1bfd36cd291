import * as z from 'zod'
import type { Condition } from '../meta/condition.ts'

/** RFC 3339 with seconds, as Kubernetes writes times. */
export const time = z.string().meta({ format: 'date-time' })
/** A Kubernetes quantity; clients may send a bare number. */
export const quantity = z.union([z.string(), z.number()]).meta({ 'x-kubernetes-int-or-string': true })
export const strings = z.array(z.string())
export const stringMap = z.record(z.string(), z.string())
/** Fields of foreign kinds that we carry untouched. */
export const anything = z.unknown()
export const looseObject = z.looseObject({})

export const condition: z.ZodType<Condition> = z.looseObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string().optional(),
  message: z.string().optional(),
  lastProbeTime: time.nullable().optional(),
  lastTransitionTime: time.nullable().optional(),
})
export const conditions = z.array(condition).meta({ 'x-kubernetes-list-type': 'atomic' })

export const typedLocalObjectReference = z
  .object({ apiGroup: z.string().optional(), kind: z.string(), name: z.string() })
  .meta({ 'x-kubernetes-map-type': 'atomic' })

export const labelSelector = z.object({
  matchLabels: stringMap.optional(),
  matchExpressions: z.array(z.object({ key: z.string(), operator: z.string(), values: strings.optional() })).optional(),
})
