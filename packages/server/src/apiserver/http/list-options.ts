import { parseDurationMs } from '@stillpoint/api/meta/duration'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { badRequest, type FieldError, fieldError, invalidOptions, notSupported } from '../registry/errors.ts'
import { type FieldSelector, fieldSelectorOf } from '../watch/field-selector.ts'
import { type LabelSelector, parseLabelSelector } from '../watch/label-selector.ts'

/** Timers cannot be longer. */
const longestMs = 2 ** 31 - 1

/** The query options of list, watch and deletecollection, converted and checked. */
export interface ListOptions {
  labels: LabelSelector | undefined
  fields: FieldSelector | undefined
  /** Undefined: not given. 0: any state will do. */
  resourceVersion: number | undefined
  match: 'Exact' | 'NotOlderThan' | undefined
  limit: number
  continue: string
  watch: boolean
  allowWatchBookmarks: boolean
  timeoutMs: number | undefined
}

export function parseListOptions(
  query: URLSearchParams,
  definition: ResourceDefinition,
  watchPath: boolean,
): ListOptions {
  const watch = watchPath || parseBoolean(query, 'watch') === true
  const options = {
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: fieldSelectorOf(definition, query.get('fieldSelector') ?? ''),
    resourceVersion: parseResourceVersion(query.get('resourceVersion')),
    match: parseMatch(query, watch),
    limit: parseInteger(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    watch,
    allowWatchBookmarks: parseBoolean(query, 'allowWatchBookmarks') === true,
    timeoutMs: seconds(parseInteger(query, 'timeoutSeconds')),
  }
  if (!watch && options.continue !== '' && options.resourceVersion)
    throw badRequest('specifying resource version is not allowed when using continue')
  return options
}

/** A resourceVersion from a query; undefined when empty. */
export function parseResourceVersion(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid resource version ${JSON.stringify(text)}`)
  return Number(text)
}

/** A boolean option; an empty value means true, as `?watch` does. */
export function parseBoolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  throw badRequest(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

export function parseInteger(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^[+-]?\d{1,15}$/.test(text))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

/** `?timeout=32s`, in milliseconds. */
export function parseTimeoutMs(query: URLSearchParams): number | undefined {
  const text = query.get('timeout')
  if (text === null || text === '') return undefined
  const ms = parseDurationMs(text)
  if (ms === undefined || ms < 0)
    throw badRequest(`invalid timeout specified in the request URL: ${JSON.stringify(text)}`)
  return Math.min(ms, longestMs)
}

function parseMatch(query: URLSearchParams, watch: boolean): 'Exact' | 'NotOlderThan' | undefined {
  const match = query.get('resourceVersionMatch') ?? ''
  const initialEvents = parseBoolean(query, 'sendInitialEvents')
  const errors = watch ? watchErrors(match, initialEvents) : listErrors(query, match, initialEvents)
  if (errors.length > 0) throw invalidOptions('ListOptions', errors)
  return match === 'Exact' || match === 'NotOlderThan' ? match : undefined
}

function listErrors(query: URLSearchParams, match: string, initialEvents: boolean | undefined): FieldError[] {
  const errors: FieldError[] = []
  const refuse = (detail: string) => errors.push(fieldError('forbidden', 'resourceVersionMatch', detail))
  if (match !== '') {
    if (!query.get('resourceVersion')) refuse('resourceVersionMatch is forbidden unless resourceVersion is provided')
    if (query.get('continue')) refuse('resourceVersionMatch is forbidden when continue is provided')
    if (match !== 'Exact' && match !== 'NotOlderThan')
      errors.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && query.get('resourceVersion') === '0')
      refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  }
  if (initialEvents !== undefined)
    errors.push(fieldError('forbidden', 'sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return errors
}

// Streaming lists are not offered, as on a server with that feature off: clients then list first.
function watchErrors(match: string, initialEvents: boolean | undefined): FieldError[] {
  const errors: FieldError[] = []
  if (initialEvents !== undefined) {
    if (match !== 'NotOlderThan')
      errors.push(
        fieldError(
          'forbidden',
          'resourceVersionMatch',
          'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
        ),
      )
    errors.push(
      fieldError(
        'forbidden',
        'sendInitialEvents',
        'sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
      ),
    )
  }
  if (match !== '') {
    if (initialEvents === undefined)
      errors.push(
        fieldError(
          'forbidden',
          'resourceVersionMatch',
          'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
        ),
      )
    if (match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
  }
  return errors
}

function seconds(value: number | undefined): number | undefined {
  return value === undefined || value <= 0 ? undefined : Math.min(value * 1_000, longestMs)
}
