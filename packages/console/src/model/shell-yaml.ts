import type { KubeObject } from '@stillpoint/api/meta/object-meta'

// YAML to be pasted into a terminal. Every dialog shows some, so it does not wait for the library of the YAML editor.

// What a terminal obeys, what is not seen or turns the direction of writing, and what YAML takes for the end of a line.
const unprintables = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffe\uffff]/gu

/** The YAML of an object, without `managedFields`, in characters that only show; it ends with a line break. */
export function shellYaml(object: KubeObject): string {
  const { managedFields: _, ...metadata } = object.metadata
  return `${block({ ...object, metadata }, '').slice(1)}\n`
}

/** JSON on one line, in characters that only show. */
export function shellJson(value: unknown): string {
  return JSON.stringify(value).replace(unprintables, (character) =>
    character
      .split('')
      .map((unit) => `\\u${hex(unit.charCodeAt(0), 4)}`)
      .join(''),
  )
}

/** A value behind its key: on the same line, or on lines of its own below it. */
function block(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []'
    return value.map((item) => `\n${indent}-${inItem(item, indent)}`).join('')
  }
  if (typeof value !== 'object' || value === null)
    return ` ${typeof value === 'string' ? scalar(value) : JSON.stringify(value)}`
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  if (members.length === 0) return ' {}'
  return members
    .map(([key, member]) => {
      // Lists stand under their key, not deeper, as kubectl writes them.
      const inner = Array.isArray(member) ? indent : `${indent}  `
      return `\n${indent}${scalar(key)}:${block(member, inner)}`
    })
    .join('')
}

/** The first line of what is in a list stands behind its dash. */
function inItem(item: unknown, indent: string): string {
  const inner = `${indent}  `
  const text = block(item, inner)
  return text.startsWith('\n') ? ` ${text.slice(1 + inner.length)}` : text
}

/** Words that are no texts to readers of YAML 1.1. */
const notText = /^(?:y|yes|n|no|on|off|true|false|null)$/i

function scalar(text: string): string {
  if (/^[a-z](?:[\w ./-]*[\w./-])?$/i.test(text) && !notText.test(text)) return text
  // Half a character is none, and the API could not store it either.
  return JSON.stringify(text.toWellFormed()).replace(unprintables, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
  })
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
