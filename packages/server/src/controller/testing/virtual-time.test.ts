import { randomUUID } from 'node:crypto'
import { setTimeout as realDelay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SeededRandom } from './seeded-random.ts'
import { VirtualTime } from './virtual-time.ts'

let time: VirtualTime
let uninstall: () => void
const seen: string[] = []

beforeEach(() => {
  seen.length = 0
  time = new VirtualTime(new SeededRandom(7))
  uninstall = time.install()
})
afterEach(() => uninstall())

test('timers fire in order, and hours take no time', async () => {
  const from = Date.now()
  setTimeout(() => seen.push(`late ${Date.now() - from}`), 3_600_000)
  setTimeout(() => seen.push(`early ${Date.now() - from}`), 5)
  await time.run(7_200_000)
  expect(seen).toEqual(['early 5', 'late 3600000'])
  expect(Date.now() - from).toBe(7_200_000)
})

test('an interval fires until it is cleared', async () => {
  const timer = setInterval(() => {
    seen.push('tick')
    if (seen.length === 3) clearInterval(timer)
  }, 1_000)
  await time.run(60_000)
  expect(seen).toHaveLength(3)
})

test('time stands still while something real is awaited', async () => {
  setTimeout(() => seen.push('timer'), 10)
  time.hold(realDelay(30)).then(
    () => seen.push('real'),
    (error: unknown) => seen.push(String(error)),
  )
  await time.run(1_000)
  expect(seen).toEqual(['real', 'timer'])
})

test('what belongs to somebody is forgotten with him, and with him only', async () => {
  const owner = {}
  const chain = async (name: string): Promise<void> => {
    for (;;) {
      await time.sleep(100)
      seen.push(name)
    }
  }
  time.as(owner, () => void chain('dead'))
  time.as({}, () => void chain('alive'))
  time.after(250, () => time.forget(owner))
  await time.run(400)
  expect(seen).toEqual(['dead', 'alive', 'dead', 'alive', 'alive', 'alive'])
})

test('randomness comes from the seed, and is real again afterwards', () => {
  const drawn = [Math.random(), randomUUID()]
  uninstall()
  expect(Math.random()).not.toBe(drawn[0])
  const again = new VirtualTime(new SeededRandom(7))
  uninstall = again.install()
  expect([Math.random(), randomUUID()]).toEqual(drawn)
})
