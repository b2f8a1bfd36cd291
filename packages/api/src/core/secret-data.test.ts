import { expect, test } from 'vitest'
import type { Secret } from './config.ts'
import { storedSecret } from './secret-data.ts'

const secret = (fields: Partial<Secret>): Secret => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's' },
  ...fields,
})

test('text becomes base64 data and wins over what is there', () => {
  const stored = storedSecret(secret({ data: { a: 'b2xk', b: 'b2xk' }, stringData: { a: 'grün' } }))
  expect(stored.data).toEqual({ a: 'Z3LDvG4=', b: 'b2xk' })
  expect(stored).not.toHaveProperty('stringData')
})

test('a type of its own stays, an empty one becomes Opaque', () => {
  expect(storedSecret(secret({ type: 'kubernetes.io/tls' })).type).toBe('kubernetes.io/tls')
  expect(storedSecret(secret({ type: '' })).type).toBe('Opaque')
})

test('a long text is no problem', () => {
  expect(storedSecret(secret({ stringData: { a: 'x'.repeat(1_000_000) } })).data?.a?.length).toBe(1_333_336)
})

test('a key named __proto__ is data like any other', () => {
  const stringData = JSON.parse('{"__proto__": "x"}')
  expect(Object.keys(storedSecret(secret({ stringData })).data ?? {})).toEqual(['__proto__'])
})
