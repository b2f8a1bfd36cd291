import * as z from 'zod'
import { time } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'
import { objectReference } from './object-meta.ts'

export const Event = resource({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  origin: 'builtin',
  description: 'Event reports something that happened to an object. Events are kept for a limited time.',
  fields: {
    involvedObject: objectReference.describe('The object this event is about.'),
    reason: z.string().optional().describe('One word why.'),
    message: z.string().optional().describe('A sentence for people.'),
    source: z
      .object({
        component: z.string().optional().describe('Component that reports the event.'),
        host: z.string().optional().describe('Node the component runs on.'),
      })
      .optional()
      .describe('Who reports the event.'),
    firstTimestamp: time.nullable().optional().describe('When the event was first recorded.'),
    lastTimestamp: time.nullable().optional().describe('When the event was last recorded.'),
    count: z.int().optional().meta({ format: 'int32' }).describe('How often the event occurred.'),
    type: z.string().optional().describe('Normal or Warning.'),
    eventTime: time.nullable().optional().describe('When the event was first observed.'),
    series: z
      .object({
        count: z.int().optional().meta({ format: 'int32' }).describe('Occurrences in the series so far.'),
        lastObservedTime: time.nullable().optional().describe('When the last occurrence was observed.'),
      })
      .optional()
      .describe('The series this event stands for.'),
    action: z.string().optional().describe('What was done or failed.'),
    related: objectReference.optional().describe('A second object that plays a part.'),
    reportingComponent: z.string().optional().describe('Controller that reports the event.'),
    reportingInstance: z.string().optional().describe('Instance of that controller.'),
  },
})
export type Event = ObjectOf<typeof Event>
