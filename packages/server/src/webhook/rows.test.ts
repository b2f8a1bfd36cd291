import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asWebhook, type Driver, embedded } from './testing/drivers.ts'
import { tables } from './testing/rows.ts'

describe.each([
  ['the embedded server', embedded],
  ['the webhook', asWebhook],
])('%s', (_, start: () => Promise<Driver>) => {
  let driver: Driver
  beforeAll(async () => {
    driver = await start()
  })
  afterAll(() => driver.close())

  describe.each(Object.entries(tables))('%s', (_, rows) => {
    test.each(Object.entries(rows))('%s', async (_, row) => {
      expect(await driver.ask(row, 'storage')).toEqual(row.expected)
      expect(await driver.ask(row, 'older')).toEqual(row.expected)
    })
  })
})
