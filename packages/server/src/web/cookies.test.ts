import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCookies, setCookie } from './cookies.ts'

const cases: Record<string, [header: string | undefined, Record<string, string>]> = {
  'nothing is no cookie': [undefined, {}],
  'several are told apart': ['a=1; b=2;c=3', { a: '1', b: '2', c: '3' }],
  'a value may hold equals signs': ['a=b=c==', { a: 'b=c==' }],
  'the same value twice is one': ['a=1; a=1', { a: '1' }],
  'two values for one name are none': ['a=1; b=2; a=3', { b: '2' }],
  'two values stay none when the first comes again': ['a=1; a=2; a=1', {}],
  'a value without a name is none': ['=1; ;  ; x', {}],
  'a name that is no token is none': ['a b=1; c\u00e9=2; d=3', { d: '3' }],
  'names of objects are names': ['__proto__=1; constructor=2', { ['__proto__']: '1', constructor: '2' }],
}
test.each(Object.entries(cases))('%s', (_, [header, cookies]) => {
  expect([...parseCookies(header)].sort()).toEqual(Object.entries(cookies).sort())
})

test('what is set is read again, whatever stands around it', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/)
  const value = fc.stringMatching(/^[A-Za-z0-9_=.-]{0,50}$/)
  fc.assert(
    fc.property(name, value, fc.array(fc.string()), (own, secret, others) => {
      const [pair = ''] = setCookie(own, secret, { secure: true, httpOnly: true }).split(';')
      const noise = others.map((text) => text.replaceAll(own, ''))
      // Noise must not name the cookie itself: that is another case.
      fc.pre(!noise.some((text) => text.split(';').some((part) => part.split('=')[0]?.trim() === own)))
      expect(parseCookies([...noise, pair].join(';')).get(own)).toBe(secret)
    }),
  )
})

test('any header is read, and names in it are tokens', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (header) => {
      for (const [name, value] of parseCookies(header)) {
        expect(name).toMatch(/^[!-~]+$/)
        expect(value).not.toContain(';')
      }
    }),
  )
})
