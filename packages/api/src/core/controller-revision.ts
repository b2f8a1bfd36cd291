import * as z from 'zod'
import { looseObject } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

export const ControllerRevision = resource({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  origin: 'builtin',
  description: 'ControllerRevision is an immutable record of state that a controller may return to.',
  fields: {
    data: looseObject.optional().describe('The recorded state. Cannot be updated.'),
    revision: z.int().meta({ format: 'int64' }).describe('Number of the revision.'),
  },
})
export type ControllerRevision = ObjectOf<typeof ControllerRevision>
