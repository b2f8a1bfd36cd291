import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

/** The rows of docs/conformance.md that name a test: `| row | \`test\` | area/file |`. */
const listed = [
  ...read('docs/conformance.md').matchAll(/^\| (\S+) \| `(.+)`(?: and others)? \| (\S+\.test\.ts) \|$/gm),
].map(([, row = '', name = '', file = '']) => ({ row, name, file: file.replace(/^[^/]+/, 'packages/$&/src') }))

test('every line of its tables is understood', () => {
  const [, ...parts] = read('docs/conformance.md').split(/^## \(/m)
  const lines = parts.flatMap((part) => part.split('\n').filter((line) => line.startsWith('| ')))
  expect(lines.filter((line) => line !== '| Row | Test | In |')).toHaveLength(listed.length)
})

test('every test that docs/conformance.md names exists, and says its row', () => {
  const missing = listed.filter(({ row, name, file }) => !read(file).includes(name) || !name.split(' ').includes(row))
  expect(missing).toEqual([])
})

test('each part of the specification is there', () => {
  const parts = new Set(listed.map(({ row }) => /^[a-f](\.\d+)?/.exec(row)?.[0]))
  const numbered = (letter: string, from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => `${letter}.${from + index}`)
  const wanted = [...numbered('a', 7, 8), ...numbered('c', 1, 12), ...numbered('d', 1, 13), ...numbered('e', 1, 5), 'f']
  expect(wanted.filter((part) => !parts.has(part))).toEqual([])
})
