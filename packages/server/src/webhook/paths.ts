import type { Admission } from '@stillpoint/api/snapshot/admission'

/** One webhook: a rule, the name it has in a configuration, and the path it is asked under. */
export interface Webhook {
  does: 'validate' | 'mutate'
  name: string
  path: string
  rule: Admission
}

/** A webhook that validates for every rule, and one that mutates for each that changes objects. */
export function webhooksOf(rules: readonly Admission[]): Webhook[] {
  return rules.flatMap((rule): Webhook[] => [
    { does: 'validate', name: rule.webhook, path: `/validate/${rule.resource}`, rule },
    ...(rule.mutate === undefined
      ? []
      : [
          {
            does: 'mutate' as const,
            name: rule.webhook.replace('-validator.', '-mutator.'),
            path: `/mutate/${rule.resource}`,
            rule,
          },
        ]),
  ])
}
