import { expect, test } from 'vitest'
import { selectedBy, whyFilterInvalid } from './filters.ts'

const keys = ['app', 'app.kubernetes.io/name', 'some/key', 'some/other']
const selections: Record<string, [readonly string[], string[]]> = {
  'no filter selects nothing': [[], []],
  'a star alone selects every key': [['*'], keys],
  'an expression selects the keys it is found in': [['some'], ['some/key', 'some/other']],
  'an anchored expression selects by the beginning': [['^app'], ['app', 'app.kubernetes.io/name']],
  'a key is selected by any of several': [
    ['^app$', 'other$'],
    ['app', 'some/other'],
  ],
  'a negation wins, wherever it stands': [
    ['!some/*', '*'],
    ['app', 'app.kubernetes.io/name'],
  ],
  'negations alone select nothing': [['!some/*'], []],
  'the negated star keeps everything out': [['*', '!*'], []],
}
test.each(Object.entries(selections))('%s', (_, [filters, selected]) =>
  expect(keys.filter(selectedBy(filters))).toEqual(selected),
)

test.each([
  ['*', undefined],
  ['!*', undefined],
  ['^(a|b)[c-e]{2,3}\\.x/$', undefined],
  ['', /is empty/],
  ['!!a', /only at its beginning/],
  ['**', /not a regular expression/],
  ['(?=a)b', /not a regular expression/],
  ['(a{1000}){1000}', /not a regular expression/],
  ['a'.repeat(257), /longer than 256/],
])('%j is judged', (filter, problem) => {
  if (problem === undefined) expect(whyFilterInvalid(filter)).toBeUndefined()
  else expect(whyFilterInvalid(filter)).toMatch(problem)
})

test('an expression made to take for ever does not', () => {
  const began = performance.now()
  expect(['a'.repeat(300)].filter(selectedBy(['(a+)+(a+)+(a+)+b']))).toEqual([])
  expect(performance.now() - began).toBeLessThan(1_000)
})
