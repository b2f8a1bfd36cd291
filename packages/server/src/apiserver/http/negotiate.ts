import { notAcceptable } from '../registry/errors.ts'

/** How an answer is to look. */
export type Representation =
  | { as: 'object' }
  | { as: 'yaml' }
  | { as: 'Table'; version: string }
  | { as: 'PartialObjectMetadata' | 'PartialObjectMetadataList'; version: string }

export interface Clause {
  type: string
  parameters: Readonly<Record<string, string>>
  quality: number
}

const offered = ['application/json', 'application/yaml'] as const
const jsonTypes = new Set(['application/json', 'application/*', '*/*'])
const metaVersions = new Set(['v1', 'v1beta1'])

/** The clauses of an Accept header, the wished-for first; the order of equals is kept. */
export function parseAccept(accept: string | undefined): Clause[] {
  if (accept === undefined || accept.trim() === '') return [{ type: '*/*', parameters: {}, quality: 1 }]
  return accept
    .split(',')
    .map((part) => {
      const [type = '', ...rest] = part.split(';').map((piece) => piece.trim())
      const parameters = Object.fromEntries(
        rest.map((piece) => {
          const [key = '', value = ''] = piece.split('=')
          return [key.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')]
        }),
      )
      const quality = parameters.q === undefined ? 1 : Number(parameters.q)
      return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality }
    })
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality)
}

/** Picks the first clause we can satisfy; 406 when there is none. */
export function negotiate(accept: string | undefined, allowed: { list: boolean; watch: boolean }): Representation {
  for (const { type, parameters } of parseAccept(accept)) {
    const { as, g, v = '' } = parameters
    if (type === 'application/yaml' && as === undefined && !allowed.watch) return { as: 'yaml' }
    if (!jsonTypes.has(type)) continue
    if (as === undefined) return { as: 'object' }
    if (g !== 'meta.k8s.io' || !metaVersions.has(v)) continue
    if (as === 'Table') return { as, version: v }
    // A watch sends single objects, whichever of the two names the client uses for it.
    if (as === 'PartialObjectMetadata' && (!allowed.list || allowed.watch)) return { as, version: v }
    if (as === 'PartialObjectMetadataList' && allowed.list && !allowed.watch) return { as, version: v }
  }
  throw notAcceptable(offered)
}
