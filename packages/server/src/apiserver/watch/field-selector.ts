import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { isJsonObject } from '../json.ts'
import { badRequest } from '../registry/errors.ts'
import { factsOf } from '../registry/kind-facts.ts'

export interface FieldRequirement {
  field: string
  equal: boolean
  value: string
}

export interface FieldSelector {
  matches(object: KubeObject): boolean
  /** The one name it can select, if it asks for one. */
  name: string | undefined
}

const everyKind: Readonly<Record<string, string>> = {
  'metadata.name': 'metadata.name',
  'metadata.namespace': 'metadata.namespace',
}

/** Reads `a.b=c,d!=e`, with `\` before a literal comma, equals sign or backslash. 400 when malformed. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitEscaped(text)
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^([^=!\\]*)(==|!=|=)(.*)$/s.exec(part)
      if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`)
      const [, field = '', operator, value = ''] = match
      return { field: field.trim(), equal: operator !== '!=', value: unescaped(value) }
    })
}

/** The selector of a kind; 400 for a field it cannot be selected by. */
export function fieldSelectorOf(definition: ResourceDefinition, text: string): FieldSelector | undefined {
  const requirements = parseFieldSelector(text)
  if (requirements.length === 0) return undefined
  const declared = definition.selectableFields.map((path) => path.replace(/^\./, ''))
  const paths = {
    ...everyKind,
    ...factsOf(definition).fieldSelectors,
    ...Object.fromEntries(declared.map((path) => [path, path])),
  }
  const checks = requirements.map(({ field, equal, value }) => {
    const path = Object.hasOwn(paths, field) ? paths[field] : undefined
    if (path === undefined) throw badRequest(`field label not supported: ${field}`)
    const steps = path.split('.')
    return (object: KubeObject) => (valueAt(object, steps) === value) === equal
  })
  return {
    matches: (object) => checks.every((check) => check(object)),
    name: requirements.find(({ field, equal }) => field === 'metadata.name' && equal)?.value,
  }
}

function valueAt(object: unknown, steps: readonly string[]): string {
  let value = object
  for (const step of steps) value = isJsonObject(value) && Object.hasOwn(value, step) ? value[step] : undefined
  // A field that is not set counts as its zero value.
  if (value === undefined && steps.at(-1) === 'unschedulable') return 'false'
  return value === undefined || value === null ? '' : String(value)
}

function splitEscaped(text: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? ''
    if (character === '\\') part += character + (text[++index] ?? '')
    else if (character === ',') {
      parts.push(part)
      part = ''
    } else part += character
  }
  return [...parts, part]
}

function unescaped(value: string): string {
  let plain = ''
  for (let index = 0; index < value.length; index++) {
    const character = value[index] ?? ''
    if (character === '=') throw badRequest(`invalid field selector: unescaped character in value: ${value}`)
    if (character !== '\\') {
      plain += character
      continue
    }
    const next = value[++index]
    if (next !== ',' && next !== '=' && next !== '\\')
      throw badRequest(`invalid field selector: invalid escape sequence in value: ${value}`)
    plain += next
  }
  return plain
}
