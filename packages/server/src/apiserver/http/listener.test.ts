import { once } from 'node:events'
import { get } from 'node:http'
import { expect, test } from 'vitest'
import { endWith } from './answer.ts'
import { Listener } from './listener.ts'

test('without a certificate it speaks plain HTTP, and a connection that waits does not hold it', async () => {
  const listener = new Listener(
    { handle: async (request, response) => endWith(response, request.url), upgrade: async () => 404 },
    undefined,
  )
  const port = await listener.listen('127.0.0.1', 0)
  const [response] = await once(
    get(`http://127.0.0.1:${port}/x`, { agent: false, headers: { Connection: 'keep-alive' } }),
    'response',
  )
  expect(await response.setEncoding('utf8').toArray()).toEqual(['/x'])
  await listener.close()
})
