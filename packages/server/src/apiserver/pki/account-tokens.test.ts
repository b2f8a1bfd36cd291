import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { AccountTokens, tokenIssuer } from './account-tokens.ts'

const newKey = (): string => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
const start = new Date('2026-01-01T00:00:00Z')
const after = (seconds: number) => new Date(start.getTime() + seconds * 1_000)
const asked = {
  namespace: 'ns',
  account: { name: 'robot', uid: 'u' },
  audiences: [tokenIssuer],
  seconds: 600,
  now: start,
}

test('a token is valid from its issue to its end, also when it was read before', () => {
  const tokens = new AccountTokens(newKey())
  const { token, expires } = tokens.issue(asked)
  expect(expires).toEqual(after(600))
  expect(tokens.read(token, start)).toMatchObject({ namespace: 'ns', account: asked.account, audiences: [tokenIssuer] })
  expect(tokens.read(token, after(599))).toBeDefined()
  expect(tokens.read(token, after(600))).toBeUndefined()
  expect(tokens.read(token, after(-1))).toBeUndefined()
})

test('a token of another key is not valid', () => {
  const { token } = new AccountTokens(newKey()).issue(asked)
  expect(new AccountTokens(newKey()).read(token, start)).toBeUndefined()
})
