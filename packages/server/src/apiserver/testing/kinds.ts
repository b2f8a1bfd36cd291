import { resource } from '@stillpoint/api/schema/resource'
import * as z from 'zod'

/** A custom kind with everything a schema can say. */
export const Widget = resource({
  group: 'diff.example.com',
  version: 'v1',
  versions: [
    { name: 'v1' },
    {
      name: 'v1alpha1',
      deprecationWarning: 'diff.example.com/v1alpha1 Widget is deprecated; use diff.example.com/v1 Widget',
    },
  ],
  kind: 'Widget',
  plural: 'widgets',
  description: 'A thing to test with.',
  fields: {
    spec: z
      .object({
        size: z.int().min(1).max(10).default(3),
        mode: z.enum(['A', 'B']).optional(),
        title: z
          .string()
          .max(20)
          .regex(/^[a-z ]*$/)
          .optional(),
        parts: z
          .array(z.object({ name: z.string(), count: z.int().default(1) }))
          .max(3)
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })
          .optional(),
        free: z.looseObject({}).optional(),
        tags: z.record(z.string(), z.string()).optional(),
      })
      .optional(),
    status: z.object({ phase: z.string().optional() }).optional(),
  },
  columns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size' }],
})

/** A cluster-scoped custom kind without a status. */
export const Gadget = resource({
  group: 'diff.example.com',
  version: 'v1',
  kind: 'Gadget',
  plural: 'gadgets',
  scope: 'Cluster',
  description: 'A cluster-wide thing to test with.',
  fields: { data: z.record(z.string(), z.string()).optional() },
})
