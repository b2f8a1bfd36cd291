import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asWebhook, cluster, type Driver, embedded } from './testing/drivers.ts'
import { tables } from './testing/rows.ts'

/** Of a cluster whose API server asks a running webhook of ours, to try it there as well. */
const kubeconfig = process.env.STILLPOINT_TEST_KUBECONFIG

const drivers: [name: string, start: () => Promise<Driver>][] = [
  ['the embedded server', embedded],
  ['the webhook', asWebhook],
  ...(kubeconfig ? [['a cluster', () => cluster(kubeconfig)] as [string, () => Promise<Driver>]] : []),
]

describe.each(drivers)('%s', (_, start) => {
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
