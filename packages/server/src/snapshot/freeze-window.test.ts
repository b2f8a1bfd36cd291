import { expect, test } from 'vitest'
import { type FreezeWindow, runFreezeWindow } from './freeze-window.ts'

function world(changes: Partial<FreezeWindow> = {}): { window: FreezeWindow; log: string[] } {
  const log: string[] = []
  const window: FreezeWindow = {
    leaseMs: 50,
    now: () => Date.now(),
    freeze: async () => void log.push('freeze'),
    cut: async () => void log.push('cut'),
    thaw: async () => void log.push('thaw'),
    outcome: async () => 'cut',
    ...changes,
  }
  return { window, log }
}

test('freezes, cuts and thaws', async () => {
  const { window, log } = world()
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'cut' })
  expect(log).toEqual(['freeze', 'cut', 'thaw'])
})

test('thaws after a freeze that failed, and cuts nothing', async () => {
  const { window, log } = world({ freeze: () => Promise.reject(new Error('no')) })
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'freeze-failed', error: new Error('no') })
  expect(log).toEqual(['thaw'])
})

test('thaws when the cut is refused, and tells why', async () => {
  const { window, log } = world({ cut: () => Promise.reject(new Error('no')), outcome: () => new Promise(() => {}) })
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'error', error: new Error('no') })
  expect(log).toEqual(['freeze', 'thaw'])
})

test('thaws when nothing is cut within the lease', async () => {
  const { window, log } = world({ outcome: () => new Promise(() => {}) })
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'timeout' })
  expect(log).toEqual(['freeze', 'cut', 'thaw'])
})

test('thaws when even asking for the cut takes longer than the lease', async () => {
  const { window, log } = world({ cut: () => new Promise(() => {}), outcome: () => new Promise(() => {}) })
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'timeout' })
  expect(log).toEqual(['freeze', 'thaw'])
})

test('thaws when all is cut, although a request for it was never answered', async () => {
  const { window, log } = world({ cut: () => new Promise(() => {}), leaseMs: 60_000 })
  expect(await runFreezeWindow(window)).toMatchObject({ end: 'cut' })
  expect(log).toEqual(['freeze', 'thaw'])
})

test('listens for cuts before it freezes', async () => {
  const order: string[] = []
  const { window } = world({
    freeze: async () => void order.push('freeze'),
    outcome: async () => {
      order.push('listen')
      return 'cut'
    },
  })
  await runFreezeWindow(window)
  expect(order).toEqual(['listen', 'freeze'])
})

test('a thaw that is not confirmed is told as owed', async () => {
  const { window } = world({ thaw: () => Promise.reject(new Error('silent')) })
  const result = await runFreezeWindow(window)
  expect(result).toMatchObject({ end: 'cut', thawError: new Error('silent') })
  expect(result.thawedMs).toBeUndefined()
})
