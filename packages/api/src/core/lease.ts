import * as z from 'zod'
import { time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

export const Lease = resource({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  origin: 'builtin',
  description: 'Lease says who holds a role, and until when.',
  fields: {
    spec: z
      .object({
        holderIdentity: z.string().optional().describe('Who holds the lease.'),
        leaseDurationSeconds: z
          .int()
          .optional()
          .meta({ format: 'int32' })
          .describe('Seconds after the last renewal in which nobody else may take the lease.'),
        acquireTime: time.nullable().optional().describe('When the lease was taken.'),
        renewTime: time.nullable().optional().describe('When the holder last renewed it.'),
        leaseTransitions: z.int().optional().meta({ format: 'int32' }).describe('How often the lease changed hands.'),
        strategy: z.string().optional().describe('How the next holder is chosen.'),
        preferredHolder: z.string().optional().describe('Who should take the lease next.'),
      })
      .optional()
      .describe('State of the lease.'),
  },
})
export type Lease = ObjectOf<typeof Lease>
