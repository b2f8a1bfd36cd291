import { afterEach, beforeEach, expect, test } from 'vitest'
import { Attempts } from './attempts.ts'
import { Links } from './links.ts'
import { Sessions } from './sessions.ts'

const hour = 3_600_000
const identity = { kind: 'token', token: 'x' } as const
const user = (username: string) => ({ username, groups: [] })
let now: Date
let sessions: Sessions
beforeEach(() => {
  now = new Date('2030-01-01')
  sessions = new Sessions(() => now)
})
afterEach(() => sessions.close())
const pass = (ms: number) => {
  now = new Date(now.getTime() + ms)
}

test('what is open keeps a session, until twelve hours are over', () => {
  const { secret, session } = sessions.begin(user('a'), identity)
  const release = sessions.use(session)
  pass(11 * hour)
  sessions.endExpired()
  expect(sessions.find(secret)).toBe(session)
  release()
  pass(hour - 1)
  expect(sessions.find(secret)).toBe(session)
  pass(1)
  sessions.endExpired()
  expect([sessions.find(secret), session.ended.aborted]).toEqual([undefined, true])
})

test('what is open is ended when the time is over', () => {
  const { session } = sessions.begin(user('a'), identity)
  sessions.use(session)
  pass(12 * hour)
  sessions.endExpired()
  expect(session.ended.aborted).toBe(true)
})

test('the hour unused begins with the end of the last use', () => {
  const { secret, session } = sessions.begin(user('a'), identity)
  const release = sessions.use(session)
  pass(2 * hour)
  release()
  pass(hour - 1)
  expect(sessions.find(secret)).toBe(session)
  pass(1)
  expect(sessions.find(secret)).toBeUndefined()
})

test('one user has fifty sessions, and does not push others out', () => {
  const other = sessions.begin(user('b'), identity)
  const own = Array.from({ length: 51 }, () => sessions.begin(user('a'), identity))
  expect(own.map(({ secret }) => sessions.find(secret) !== undefined)).toEqual([false, ...Array(50).fill(true)])
  expect(own[0]?.session.ended.aborted).toBe(true)
  expect(sessions.find(other.secret)).toBeDefined()
})

test('all have a thousand', () => {
  const all = Array.from({ length: 1_001 }, (_, index) => sessions.begin(user(`${index}`), identity))
  expect(all.map(({ secret }) => sessions.find(secret) !== undefined).indexOf(true)).toBe(1)
})

test('a secret is a secret of its own, and is not kept', () => {
  const secrets = Array.from({ length: 40 }, () => sessions.begin(user('a'), identity).secret)
  expect(new Set(secrets).size).toBe(40)
  expect(sessions.find('')).toBeUndefined()
  expect(sessions.find(undefined)).toBeUndefined()
})

test('of codes, a hundred are open, and each is good once', () => {
  const links = new Links(() => now)
  const codes = Array.from({ length: 101 }, () => links.issue(identity).code)
  expect(codes.map((code) => links.redeem(code) !== undefined)).toEqual([false, ...Array(100).fill(true)])
  expect(codes.map((code) => links.redeem(code))).toEqual(Array(101).fill(undefined))
})

test('ten failures at once, then one every three seconds, for each address', () => {
  const attempts = new Attempts(() => now)
  const fail = (address: string) => attempts.take(address)?.waitMs ?? 0
  expect(Array.from({ length: 11 }, () => fail('a'))).toEqual([...Array(10).fill(0), 3_000])
  expect(fail('b')).toBe(0)
  pass(1_000)
  expect(fail('a')).toBe(2_000)
  pass(2_000)
  expect([fail('a'), fail('a')]).toEqual([0, 3_000])
  pass(30_000)
  expect(Array.from({ length: 11 }, () => fail('a'))).toEqual([...Array(10).fill(0), 3_000])
})

test('who succeeds is never slowed down', () => {
  const attempts = new Attempts(() => now)
  for (let at = 0; at < 100; at++) {
    expect(attempts.take('a')).toBeUndefined()
    attempts.giveBack('a')
  }
})

test('addresses beyond a thousand push the oldest out of memory', () => {
  const attempts = new Attempts(() => now)
  for (let at = 0; at < 10; at++) attempts.take('first')
  for (let at = 0; at < 1_000; at++) attempts.take(`${at}`)
  expect(attempts.take('first')).toBeUndefined()
})
