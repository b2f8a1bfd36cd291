import { isJsonObject } from '../json.ts'

type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='
type Operand = { path: Step[] } | { literal: unknown }
type Step =
  | { step: 'field'; name: string }
  | { step: 'all' }
  | { step: 'deep' }
  | { step: 'index'; indexes: number[] }
  | { step: 'slice'; from: number | undefined; to: number | undefined; by: number }
  | { step: 'fields'; names: string[] }
  | { step: 'filter'; left: Operand; test: Comparison | 'exists'; right: Operand }

/** A path that does not follow the grammar; the message says where. */
export class JsonPathError extends Error {
  constructor(path: string, at: number, expected: string) {
    super(`JSONPath ${JSON.stringify(path)}: expected ${expected} at position ${at + 1}`)
    this.name = 'JsonPathError'
  }
}

/** Deeper values than this cannot come from a stored object. */
const maxDepth = 200

/** Compiles a path such as `.status.conditions[?(@.type=="Ready")].status`; braces around it are allowed. */
export function compileJsonPath(text: string): (value: unknown) => unknown[] {
  const path = new Parser(text).parse()
  return (value) => evaluate(path, value)
}

class Parser {
  readonly #text: string
  #at = 0
  constructor(text: string) {
    const trimmed = text.trim()
    this.#text = trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1).trim() : trimmed
  }

  parse(): Step[] {
    if (this.#eat('$') || this.#eat('@')) {
      // The root may be named.
    } else if (this.#at < this.#text.length && !/[.[]/.test(this.#peek())) return [this.#name(), ...this.#steps('')]
    const steps = this.#steps('')
    if (this.#at < this.#text.length) this.#fail('"." or "["')
    return steps
  }

  #steps(stop: string): Step[] {
    const steps: Step[] = []
    while (this.#at < this.#text.length && !stop.includes(this.#peek())) {
      if (this.#eat('..')) {
        steps.push({ step: 'deep' })
        if (this.#peek() !== '[') steps.push(this.#eat('*') ? { step: 'all' } : this.#name())
      } else if (this.#eat('[')) steps.push(this.#bracket())
      else if (this.#eat('.')) {
        if (this.#at < this.#text.length && this.#peek() !== '[')
          steps.push(this.#eat('*') ? { step: 'all' } : this.#name())
      } else break
    }
    return steps
  }

  #name(): Step {
    let name = ''
    while (this.#at < this.#text.length) {
      const char = this.#peek()
      if (char === '\\' && this.#at + 1 < this.#text.length) {
        name += this.#text[this.#at + 1]
        this.#at += 2
      } else if (/[.[\]()=!<>,\s"'|&]/.test(char)) break
      else {
        name += char
        this.#at++
      }
    }
    if (name === '') this.#fail('a name')
    return { step: 'field', name }
  }

  #bracket(): Step {
    this.#space()
    if (this.#eat('?(')) return this.#filter()
    if (this.#eat('*')) return this.#close({ step: 'all' })
    if (/["']/.test(this.#peek())) {
      const names = [this.#quoted()]
      while (this.#spaced(',')) {
        this.#space()
        names.push(this.#quoted())
      }
      return this.#close({ step: 'fields', names })
    }
    const first = this.#integer()
    if (this.#spaced(':')) {
      this.#space()
      const to = this.#integer()
      const by = this.#spaced(':') ? (this.#integer() ?? 1) : 1
      if (by < 1) this.#fail('a step of at least 1')
      return this.#close({ step: 'slice', from: first, to, by })
    }
    if (first === undefined) this.#fail('an index, a quoted name, "*" or "?("')
    const indexes = [first]
    while (this.#spaced(',')) {
      this.#space()
      indexes.push(this.#integer() ?? this.#fail('an index'))
    }
    return this.#close({ step: 'index', indexes })
  }

  #filter(): Step {
    const left = this.#operand()
    this.#space()
    const test = (['==', '!=', '<=', '>=', '<', '>'] as const).find((sign) => this.#eat(sign)) ?? 'exists'
    const right: Operand = test === 'exists' ? { literal: undefined } : this.#operand()
    this.#space()
    if (!this.#eat(')')) this.#fail('")"')
    return this.#close({ step: 'filter', left, test, right })
  }

  #operand(): Operand {
    this.#space()
    if (this.#eat('@') || this.#eat('$')) return { path: this.#steps(' \t)=!<>') }
    if (/["']/.test(this.#peek())) return { literal: this.#quoted() }
    const word = /^(?:true|false|null|[+-]?\d+(?:\.\d+)?)/.exec(this.#text.slice(this.#at))?.[0]
    if (word === undefined) return this.#fail('"@", a quoted text, a number, true, false or null')
    this.#at += word.length
    return { literal: JSON.parse(word.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1')) }
  }

  #quoted(): string {
    const quote = this.#peek()
    if (!/["']/.test(quote)) this.#fail('a quoted text')
    let text = ''
    for (this.#at++; this.#at < this.#text.length && this.#peek() !== quote; this.#at++) {
      if (this.#peek() === '\\') this.#at++
      text += this.#peek()
    }
    if (!this.#eat(quote)) this.#fail(`a closing ${quote}`)
    return text
  }

  #integer(): number | undefined {
    const digits = /^-?\d{1,9}/.exec(this.#text.slice(this.#at))?.[0]
    if (digits === undefined) return undefined
    this.#at += digits.length
    return Number(digits)
  }

  #close(step: Step): Step {
    this.#space()
    if (!this.#eat(']')) this.#fail('"]"')
    return step
  }

  #spaced(token: string): boolean {
    this.#space()
    return this.#eat(token)
  }

  #space(): void {
    while (/[ \t]/.test(this.#peek())) this.#at++
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #eat(token: string): boolean {
    if (token === '' || !this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  #fail(expected: string): never {
    throw new JsonPathError(this.#text, this.#at, expected)
  }
}

function evaluate(path: readonly Step[], value: unknown): unknown[] {
  let values = [value]
  for (const step of path) values = values.flatMap((item) => take(step, item))
  return values
}

function take(step: Step, value: unknown): unknown[] {
  switch (step.step) {
    case 'field':
      return isJsonObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : []
    case 'fields':
      return step.names.flatMap((name) => take({ step: 'field', name }, value))
    case 'all':
      return children(value)
    case 'deep':
      return descendants(value, 0)
    case 'index':
      return Array.isArray(value) ? step.indexes.flatMap((index) => value.slice(index, index + 1 || undefined)) : []
    case 'slice':
      return Array.isArray(value)
        ? value.slice(step.from ?? 0, step.to ?? value.length).filter((_, index) => index % step.by === 0)
        : []
    case 'filter':
      return children(value).filter((item) => holds(step, item))
    default:
      return step satisfies never
  }
}

function children(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  return isJsonObject(value) ? Object.values(value) : []
}

function descendants(value: unknown, depth: number): unknown[] {
  if (depth > maxDepth) return []
  return [value, ...children(value).flatMap((item) => descendants(item, depth + 1))]
}

function holds({ left, test, right }: Extract<Step, { step: 'filter' }>, item: unknown): boolean {
  const a = operand(left, item)
  if (test === 'exists') return a.length > 0
  const b = operand(right, item)
  if (a.length !== 1 || b.length !== 1) return false
  const [x] = a
  const [y] = b
  if (test === '==') return x === y
  if (test === '!=') return x !== y
  if (!(typeof x === 'number' && typeof y === 'number') && !(typeof x === 'string' && typeof y === 'string'))
    return false
  if (test === '<') return x < y
  if (test === '<=') return x <= y
  return test === '>' ? x > y : x >= y
}

function operand(side: Operand, item: unknown): unknown[] {
  return 'literal' in side ? [side.literal] : evaluate(side.path, item)
}
