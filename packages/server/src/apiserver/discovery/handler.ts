import { createHash } from 'node:crypto'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { issuerPaths } from '../auth/issuer-documents.ts'
import { type Clause, parseAccept } from '../http/negotiate.ts'
import { notAcceptable } from '../registry/errors.ts'
import { aggregatedDiscovery } from './aggregated.ts'
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from './api-resources.ts'
import { gnosticDocument } from './gnostic.ts'
import { openApiV2, swaggerJson } from './openapi-v2.ts'
import { openApiV3 } from './openapi-v3.ts'
import { rootPath, type ServedGroup, servedGroups } from './served.ts'

/** A finished answer. `etag` is quoted, ready for the header. */
export interface DiscoveryAnswer {
  contentType: string
  body: string | Uint8Array
  etag?: string
}

export type DiscoveryRoutes = (path: string, accept: string | undefined) => DiscoveryAnswer | undefined

const json = 'application/json'
/** What clients ask for. Old ones do not parse an `@` in the answer's type: there it is a dot. */
const gnosticRequest = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
const gnosticAnswer = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf'

/**
 * Answers `/api`, `/apis` and what is below them up to the group version, and `/openapi`; undefined for any other path,
 * 406 where nothing offered is accepted. Documents are made when first asked for and kept as bytes; they are made anew
 * when the subresources change.
 */
export function discoveryRoutes(
  resources: readonly ResourceDefinition[],
  subresourceKeys: () => string[],
): DiscoveryRoutes {
  let madeFor: string | undefined
  let documents: Documents | undefined
  return (path, accept) => {
    const keys = subresourceKeys()
    const wanted = keys.toSorted().join('\n')
    if (documents === undefined || madeFor !== wanted) {
      documents = new Documents(servedGroups(resources, keys))
      madeFor = wanted
    }
    return documents.answer(path.length > 1 ? path.replace(/\/$/, '') : path, accept)
  }
}

class Documents {
  readonly #groups: readonly ServedGroup[]
  readonly #made = new Map<string, DiscoveryAnswer>()

  constructor(groups: readonly ServedGroup[]) {
    this.#groups = groups
  }

  answer(path: string, accept: string | undefined): DiscoveryAnswer | undefined {
    if (path === '/api' || path === '/apis') return this.#root(path, accept)
    if (path === '/openapi/v2') return this.#swagger(accept)
    const make = this.#maker(path)
    if (make === undefined) return undefined
    pick(accept, [json])
    return this.#keep(path, json, () => JSON.stringify(make()))
  }

  #root(path: '/api' | '/apis', accept: string | undefined): DiscoveryAnswer {
    const version = aggregatedVersion(accept)
    if (version === undefined) {
      pick(accept, [json])
      const make = path === '/api' ? apiVersions : () => apiGroupList(this.#groups)
      return this.#keep(path, json, () => JSON.stringify(make()))
    }
    const type = `${json};g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
    const groups = this.#groups.filter(({ name }) => (name === '') === (path === '/api'))
    return this.#keep(`${path} ${version}`, type, () => JSON.stringify(aggregatedDiscovery(groups, version)))
  }

  #swagger(accept: string | undefined): DiscoveryAnswer {
    const type = pick(accept, [json, gnosticRequest, gnosticAnswer])
    if (type === json) return this.#keep('/openapi/v2', json, () => swaggerJson(openApiV2(this.#groups)))
    return this.#keep('/openapi/v2 protobuf', gnosticAnswer, () => gnosticDocument(openApiV2(this.#groups)))
  }

  #maker(path: string): (() => object) | undefined {
    if (path === '/') return () => this.#paths()
    if (path === '/openapi/v3') return () => this.#index()
    for (const group of this.#groups) {
      if (group.name !== '' && path === `/apis/${group.name}`) return () => apiGroup(group)
      for (const served of group.versions) {
        if (path === rootPath(served)) return () => apiResourceList(served)
        if (path === `/openapi/v3${rootPath(served)}` && served.resources.length > 0) return () => openApiV3(served)
      }
    }
    return undefined
  }

  /** Where the document of each group version is, its hash in the address so that clients may keep it for ever. */
  #index(): object {
    const served = this.#groups.flatMap(({ versions }) => versions).filter(({ resources }) => resources.length > 0)
    return {
      paths: Object.fromEntries(
        served.map((version) => {
          const path = `/openapi/v3${rootPath(version)}`
          const hash = this.answer(path, json)?.etag?.replaceAll('"', '') ?? ''
          return [rootPath(version).slice(1), { serverRelativeURL: `${path}?hash=${hash}` }]
        }),
      ),
    }
  }

  #paths(): object {
    const versions = this.#groups.flatMap((group) => [
      ...(group.name === '' ? [] : [`/apis/${group.name}`]),
      ...group.versions.map((served) => rootPath(served)),
    ])
    const others = [...issuerPaths, '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version']
    return { paths: ['/api', '/apis', ...versions, ...others].sort() }
  }

  #keep(key: string, contentType: string, make: () => string | Uint8Array): DiscoveryAnswer {
    let answer = this.#made.get(key)
    if (answer === undefined) {
      const made = make()
      const body = typeof made === 'string' ? Buffer.from(made) : made
      answer = { contentType, body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
      this.#made.set(key, answer)
    }
    return answer
  }
}

/** The form of aggregated discovery to answer with; undefined where the client prefers the plain one. */
function aggregatedVersion(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (parameters.as === undefined) {
      if (matches(type, json)) return undefined
      continue
    }
    const { as, g, v } = parameters
    if (
      type === json &&
      as === 'APIGroupDiscoveryList' &&
      g === 'apidiscovery.k8s.io' &&
      (v === 'v2' || v === 'v2beta1')
    )
      return v
  }
  return undefined
}

function pick(accept: string | undefined, offered: readonly string[]): string {
  for (const clause of parseAccept(accept)) {
    const found = offered.find((type) => isPlain(clause) && matches(clause.type, type))
    if (found !== undefined) return found
  }
  throw notAcceptable(offered)
}

function isPlain({ parameters }: Clause): boolean {
  return parameters.as === undefined
}

function matches(range: string, type: string): boolean {
  return range === type || range === '*/*' || range === `${type.split('/')[0]}/*`
}
