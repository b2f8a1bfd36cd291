import * as z from 'zod'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { atomicList, listMergedBy } from './lists.ts'
import { objectReference } from './object-meta.ts'

const localObjectReference = z
  .object({ name: z.string().optional().describe('Name of the object.') })
  .meta({ 'x-kubernetes-map-type': 'atomic' })

export const ServiceAccount = resource({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  origin: 'builtin',
  description: 'ServiceAccount is an identity for programs.',
  fields: {
    secrets: listMergedBy('name', objectReference).optional().describe('Secrets the account may use.'),
    imagePullSecrets: atomicList(localObjectReference).optional().describe('Secrets for pulling images.'),
    automountServiceAccountToken: z
      .boolean()
      .optional()
      .describe('Whether programs running as this account get its token by default.'),
  },
})
export type ServiceAccount = ObjectOf<typeof ServiceAccount>
