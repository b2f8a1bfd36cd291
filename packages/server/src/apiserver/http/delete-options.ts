import { isJsonObject } from '../json.ts'
import { type DeleteOptions, type PropagationPolicy, propagationPolicies } from '../registry/call.ts'
import { badRequest, fieldError, invalidOptions, notSupported } from '../registry/errors.ts'
import { parseBoolean } from './list-options.ts'

/** DeleteOptions from the query and the body; the body wins. `dryRun` comes along, since both can carry it. */
export function parseDeleteOptions(query: URLSearchParams, body: unknown): DeleteOptions & { dryRun: boolean } {
  if (body !== undefined && body !== null && !isJsonObject(body)) throw badRequest('the body must be DeleteOptions')
  const given = isJsonObject(body) ? body : {}
  if (given.kind !== undefined && given.kind !== '' && given.kind !== 'DeleteOptions')
    throw badRequest(`${String(given.kind)} in the body cannot be handled as DeleteOptions`)
  const policy = optionalString(given, 'propagationPolicy') ?? query.get('propagationPolicy') ?? undefined
  const orphan = given.orphanDependents ?? parseBoolean(query, 'orphanDependents')
  if (policy !== undefined && orphan !== undefined)
    throw invalidOptions('DeleteOptions', [
      fieldError('invalid', 'propagationPolicy', 'orphanDependents and deletionPropagation cannot be both set', policy),
    ])
  if (policy !== undefined && !isPolicy(policy))
    throw invalidOptions('DeleteOptions', [notSupported('propagationPolicy', policy, propagationPolicies)])
  return {
    propagationPolicy: policy ?? (orphan === undefined ? undefined : orphan === true ? 'Orphan' : 'Background'),
    preconditions: parsePreconditions(given.preconditions),
    dryRun: parseDryRun(given.dryRun === undefined ? query.getAll('dryRun') : given.dryRun, 'DeleteOptions'),
  }
}

/** `dryRun=All` and nothing else. */
export function parseDryRun(value: unknown, kind: string): boolean {
  const values = Array.isArray(value) ? value : [value]
  const bad = values.find((item) => item !== 'All' && item !== '')
  if (bad !== undefined) throw invalidOptions(kind, [notSupported('dryRun', values, ['All'])])
  return values.includes('All')
}

function parsePreconditions(value: unknown): DeleteOptions['preconditions'] {
  if (value === undefined || value === null) return undefined
  if (!isJsonObject(value)) throw badRequest('preconditions must be an object')
  return { uid: optionalString(value, 'uid'), resourceVersion: optionalString(value, 'resourceVersion') }
}

function optionalString(object: Record<string, unknown>, key: string): string | undefined {
  const value = object[key]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw badRequest(`${key} must be a string`)
  return value
}

function isPolicy(value: string): value is PropagationPolicy {
  return (propagationPolicies as readonly string[]).includes(value)
}
