import { expect, test } from 'vitest'
import { listenForMetrics } from './listener.ts'
import { Metrics } from './metrics.ts'

test('serves the metrics and nothing else', async () => {
  const metrics = new Metrics()
  const listener = await listenForMetrics(metrics, { host: '127.0.0.1', port: 0 })
  try {
    const answer = await fetch(listener.url)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await answer.text()).toMatch(/^process_resident_memory_bytes [1-9]\d+$/m)
    expect((await fetch(listener.url, { method: 'POST' })).status).toBe(405)
    expect((await fetch(new URL('/healthz', listener.url))).status).toBe(404)
    const { hostname, port } = new URL(listener.url)
    await expect(listenForMetrics(metrics, { host: hostname, port: Number(port) })).rejects.toThrow(
      `cannot serve metrics on 127.0.0.1:${port}; choose another --metrics-listen`,
    )
  } finally {
    await listener.close()
  }
})
