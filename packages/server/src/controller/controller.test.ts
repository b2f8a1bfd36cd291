import fc from 'fast-check'
import pino from 'pino'
import { expect, test } from 'vitest'
import { Controller } from './controller.ts'

const log = pino({ level: 'silent' })

test('never works on one key twice at once, and works again on a key enqueued meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 30 }), async (keys) => {
      const active = new Set<string>()
      const wanted = new Map<string, number>()
      const served = new Map<string, number>()
      let pending = keys.length
      const done = Promise.withResolvers<void>()
      const controller = new Controller({
        name: 'test',
        log,
        workers: 2,
        reconcile: async (key) => {
          expect(active.has(key)).toBe(false)
          active.add(key)
          const seen = wanted.get(key) ?? 0
          await Promise.resolve()
          served.set(key, seen)
          active.delete(key)
          if (pending === 0 && [...wanted].every(([name, count]) => served.get(name) === count)) done.resolve()
          return undefined
        },
      })
      for (const key of keys) {
        wanted.set(key, (wanted.get(key) ?? 0) + 1)
        pending -= 1
        controller.enqueue(key)
      }
      await done.promise
      await controller.close()
    }),
    { numRuns: 50 },
  )
})

test('retries a failure and forgets it after a success', async () => {
  let tries = 0
  const done = Promise.withResolvers<void>()
  const controller = new Controller({
    name: 'test',
    log,
    reconcile: async () => {
      tries += 1
      if (tries < 4) throw new Error('not yet')
      done.resolve()
      return undefined
    },
  })
  controller.enqueue('a')
  await done.promise
  expect(tries).toBe(4)
  await controller.close()
})

test('the earlier of two timers wins', async () => {
  const done = Promise.withResolvers<void>()
  const controller = new Controller({
    name: 'test',
    log,
    reconcile: async () => {
      done.resolve()
      return undefined
    },
  })
  controller.enqueue('a', 60_000)
  controller.enqueue('a', 5)
  await done.promise
  await controller.close()
})

test('closing waits for the pass in progress and starts no other', async () => {
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const finished: string[] = []
  const controller = new Controller({
    name: 'test',
    log,
    workers: 1,
    reconcile: async (key) => {
      entered.resolve()
      await leave.promise
      finished.push(key)
      return undefined
    },
  })
  controller.enqueue('a')
  controller.enqueue('b')
  await entered.promise
  const closed = controller.close()
  leave.resolve()
  await closed
  expect(finished).toEqual(['a'])
})
