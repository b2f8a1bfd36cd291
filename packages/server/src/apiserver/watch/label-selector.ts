import { badRequest } from '../registry/errors.ts'
import { whyNotLabelValue, whyNotQualifiedName } from '../registry/names.ts'

type Labels = Readonly<Record<string, string>>
export type LabelSelector = (labels: Labels) => boolean

const operators = ['==', '!=', '=', '>', '<'] as const
const setPattern = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/
const comparisonPattern = /^([^\s=!<>(),]+)\s*(==|!=|=|>|<)\s*([^\s=!<>(),]*)$/
const existencePattern = /^(!?)\s*([^\s=!<>(),]+)$/

/** Reads `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1`. Undefined when it selects everything; 400 when malformed. */
export function parseLabelSelector(text: string): LabelSelector | undefined {
  if (text.trim() === '') return undefined
  const requirements = splitOutsideParentheses(text).map((part) => parseRequirement(part.trim()))
  return (labels) => requirements.every((matches) => matches(labels))
}

function parseRequirement(text: string): LabelSelector {
  const set = setPattern.exec(text)
  if (set) {
    const [, key = '', operator, list = ''] = set
    const values = new Set(list.split(',').map((value) => checkedValue(value.trim())))
    checkKey(key)
    return operator === 'in'
      ? (labels) => values.has(own(labels, key) ?? '') && own(labels, key) !== undefined
      : (labels) => !(own(labels, key) !== undefined && values.has(own(labels, key) ?? ''))
  }
  const comparison = comparisonPattern.exec(text)
  if (comparison) {
    const [, key = '', operator = '', value = ''] = comparison
    checkKey(key)
    return compare(key, operator as (typeof operators)[number], checkedValue(value))
  }
  const existence = existencePattern.exec(text)
  if (!existence)
    throw badRequest(`unable to parse requirement: found '${text}', expected: a key, an operator and values`)
  const [, not, key = ''] = existence
  checkKey(key)
  return not === '!' ? (labels) => own(labels, key) === undefined : (labels) => own(labels, key) !== undefined
}

function compare(key: string, operator: (typeof operators)[number], value: string): LabelSelector {
  switch (operator) {
    case '=':
    case '==':
      return (labels) => own(labels, key) === value
    case '!=':
      return (labels) => own(labels, key) !== value
    default: {
      if (!/^-?\d+$/.test(value))
        throw badRequest(
          `unable to parse requirement: values[0][${key}]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer`,
        )
      const bound = BigInt(value)
      return (labels) => {
        const actual = own(labels, key)
        if (actual === undefined || !/^-?\d+$/.test(actual)) return false
        return operator === '>' ? BigInt(actual) > bound : BigInt(actual) < bound
      }
    }
  }
}

function checkKey(key: string): void {
  const why = whyNotQualifiedName(key)
  if (why !== undefined)
    throw badRequest(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(key)}: ${why}`)
}

function checkedValue(value: string): string {
  const why = whyNotLabelValue(value)
  if (why !== undefined)
    throw badRequest(`unable to parse requirement: <nil>: Invalid value: ${JSON.stringify(value)}: ${why}`)
  return value
}

function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let index = 0; index < text.length; index++) {
    if (text[index] === '(') depth++
    else if (text[index] === ')') depth--
    else if (text[index] === ',' && depth === 0) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  return [...parts, text.slice(start)]
}
