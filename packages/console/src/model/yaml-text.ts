import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type Tags, visit } from 'yaml'

// Objects as text and back, read as kubectl reads YAML: version 1.1 without its times, so that a MAC address is a text.

/** Something wrong in a text. */
export interface Problem {
  message: string
  /** From 1; undefined when it concerns no line. */
  line?: number | undefined
}

/** YAML of an object; `managedFields`, which nobody edits, only when asked for. */
export function yamlOf(object: KubeObject, { managedFields = false } = {}): string {
  const { managedFields: _, ...metadata } = object.metadata
  const shown = managedFields ? object : { ...object, metadata }
  // Words that mean something else to a reader of version 1.1, such as `yes`, are quoted.
  const document = new Document(shown, { version: '1.1', aliasDuplicateObjects: false, customTags: notMerge })
  visit(document, {
    Scalar(_, scalar) {
      // As a name it would be the order to merge a map.
      if (scalar.value === '<<') scalar.type = 'QUOTE_DOUBLE'
    },
  })
  return document.toString({ lineWidth: 0, indentSeq: false })
}

/** The object a text describes, or what is wrong with the text. */
export function objectIn(text: string): { object: KubeObject } | { problems: Problem[] } {
  const { document, line } = read(text)
  if (document.errors.length > 0)
    return {
      problems: document.errors.map(({ pos, message }) => ({ message: firstLine(message), line: line(pos[0]) })),
    }
  const value: unknown = toJson(document)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problems: [{ message: 'An object is expected: lines of the form “name: value”.', line: 1 }] }
  const { apiVersion, kind, metadata } = value as Record<string, unknown>
  const missing = Object.entries({ apiVersion, kind }).filter(([, word]) => typeof word !== 'string' || word === '')
  const problems = missing.map(([field]) => ({ message: `${field} is missing.`, line: 1 }))
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    problems.push({ message: 'metadata is missing; it has at least a name.', line: 1 })
  return problems.length > 0 ? { problems } : { object: value as KubeObject }
}

/** The line of a field as the API names it, such as `spec.volumes[0].name`; of the nearest part that is there. */
export function lineOfField(text: string, field: string): number | undefined {
  const { document, line } = read(text)
  let node: unknown = document.contents
  let at: number | undefined
  let steps = stepsOf(field)
  while (steps.length > 0) {
    const found = childOf(node, steps)
    if (!found) break
    if (found.offset !== undefined) at = found.offset
    node = found.value
    steps = steps.slice(found.used)
  }
  return at === undefined ? undefined : line(at)
}

const notTimes = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === 'string' || !('format' in tag && tag.format === 'TIME'))
/** With that tag `<<` is written without quotes, whatever it is. */
const notMerge = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:merge')
/** Tags that make something else of a value than JSON has. */
const notJson = new Set(['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`))

function read(text: string) {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, {
    version: '1.1',
    lineCounter,
    prettyErrors: false,
    customTags: (tags) => notTimes(tags).filter((tag) => typeof tag === 'string' || !notJson.has(tag.tag)),
  })
  return { document, line: (offset: number): number => lineCounter.linePos(offset).line }
}

function toJson(document: ReturnType<typeof read>['document']): unknown {
  return document.toJS() as unknown
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message
}

type Step = string | number

/** `a.b[0].c[d.e/f]` in steps. */
function stepsOf(field: string): Step[] {
  return [...field.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([whole, inner]) => {
    if (inner === undefined) return whole
    return /^\d+$/.test(inner) ? Number(inner) : inner.replace(/^["']|["']$/g, '')
  })
}

interface Child {
  value: unknown
  offset: number | undefined
  /** How many steps led to it: names of annotations have dots themselves. */
  used: number
}

function childOf(node: unknown, steps: readonly Step[]): Child | undefined {
  const [step] = steps
  if (isSeq(node) && typeof step === 'number') {
    const value = node.items[step]
    return value === undefined ? undefined : { value, offset: startOf(value), used: 1 }
  }
  if (!isMap(node)) return undefined
  for (let used = 1; used <= steps.length; used++) {
    const name = steps.slice(0, used).join('.').toLowerCase()
    // The reference spells some fields as Go does.
    const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && same(item.key.value, name))
    if (pair) return { value: pair.value, offset: startOf(pair.key), used }
  }
  return undefined
}

function same(key: unknown, name: string): boolean {
  return String(key).toLowerCase() === name
}

function startOf(node: unknown): number | undefined {
  return (node as Partial<Node> | null)?.range?.[0]
}
