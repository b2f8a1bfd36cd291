import * as z from 'zod'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { atomicList } from './lists.ts'
import { mergedConditions } from './object-meta.ts'

export const Namespace = resource({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  scope: 'Cluster',
  origin: 'builtin',
  description: 'Namespace is a scope for names.',
  fields: {
    spec: z
      .object({
        finalizers: atomicList(z.string()).optional().describe('What must be done before the namespace may go.'),
      })
      .optional()
      .describe('Desired behaviour of the namespace.'),
    status: z
      .object({
        phase: z.enum(['Active', 'Terminating']).optional().describe('Stage of the life of the namespace.'),
        conditions: mergedConditions.optional().describe('What holds up the deletion of the namespace.'),
      })
      .optional()
      .describe('Observed state of the namespace.'),
  },
})
export type Namespace = ObjectOf<typeof Namespace>
