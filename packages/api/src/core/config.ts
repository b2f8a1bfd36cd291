import * as z from 'zod'
import { stringMap } from '../schema/fields.ts'
import { type ObjectOf, resource } from '../schema/resource.ts'

const base64Map = z.record(z.string(), z.string().meta({ format: 'byte' }))

export const ConfigMap = resource({
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  origin: 'builtin',
  description: 'ConfigMap holds configuration data.',
  fields: {
    data: stringMap.optional().describe('Text by key; keys are letters, digits, "-", "_" and ".".'),
    binaryData: base64Map.optional().describe('Bytes in base64 by key; no key may also be in data.'),
    immutable: z.boolean().optional().describe('If true, the data cannot be updated any more.'),
  },
})
export type ConfigMap = ObjectOf<typeof ConfigMap>

export const Secret = resource({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  origin: 'builtin',
  description: 'Secret holds confidential data.',
  fields: {
    type: z.string().optional().describe('What the data is for. Default Opaque. Cannot be updated.'),
    data: base64Map.optional().describe('Bytes in base64 by key.'),
    stringData: stringMap.optional().describe('Text that is written into data. Write-only.'),
    immutable: z.boolean().optional().describe('If true, the data cannot be updated any more.'),
  },
})
export type Secret = ObjectOf<typeof Secret>
