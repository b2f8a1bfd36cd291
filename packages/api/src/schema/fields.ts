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

/** A text that is one of `T` when we write it. The published schema takes any: newer software has newer words. */
export const wordOf = <T extends string>(): z.ZodType<T> => z.string() as unknown as z.ZodType<T>

/** Conditions of our own kinds. */
// As published: other software may write conditions of its own here, but no fields of its own.
const ownCondition = z.object({
  type: z.string().describe('Progressing, Ready or Failure.'),
  status: wordOf<Condition['status']>().describe('True, False or Unknown.'),
  lastProbeTime: time.nullable().optional().describe('Not used.'),
  lastTransitionTime: time.nullable().optional().describe('When status or reason last changed.'),
  reason: z.string().optional().describe('Why: one word or a sentence.'),
  message: z.string().optional().describe('Not used.'),
})
export const ownConditions = z.array(ownCondition).meta({ 'x-kubernetes-list-type': 'atomic' })

export const typedLocalObjectReference = z
  .object({
    apiGroup: z.string().optional().describe('API group of the object.'),
    kind: z.string().describe('Kind of the object.'),
    name: z.string().describe('Name of the object.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })

const atomic = { 'x-kubernetes-list-type': 'atomic' }

export const labelSelector = z
  .object({
    matchLabels: stringMap.optional().describe('Labels and the values they must have.'),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().describe('Name of the label.'),
          operator: z.string().describe('In, NotIn, Exists or DoesNotExist.'),
          values: strings.meta(atomic).optional().describe('The values for In and NotIn.'),
        }),
      )
      .meta(atomic)
      .optional()
      .describe('Conditions on labels, all of which must hold.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })
