import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Transport } from './kube/transport.ts'
import { startSystem } from './system.ts'

test('/metrics of the embedded server wants a token, and tells of its requests', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-system-'))
  const system = await startSystem({
    dataDir,
    listen: { host: '127.0.0.1', port: 0 },
    roles: new Set(['apiserver', 'snapshot', 'restore'] as const),
    importDirs: [],
    accel: 'auto',
    log: pino({ level: 'silent' }),
  })
  const as = (headers: Record<string, string>): Transport =>
    new Transport({ server: system.url, ca: system.ca, authorize: () => headers })
  const [stranger, known] = [as({}), as({ authorization: `Bearer ${system.token}` })]
  try {
    const path = '/metrics'
    await expect(stranger.requestText({ method: 'GET', path })).rejects.toMatchObject({ code: 403 })
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } }
    await known.request({ method: 'POST', path: '/api/v1/namespaces/default/configmaps', body: config })
    await expect(
      known.request({ method: 'PATCH', path: '/apis/made.up/v1/namespaces/x/things/y/z', body: {} }),
    ).rejects.toMatchObject({ code: 404 })
    await expect(
      known.request({ method: 'GET', path: '/api/v1/namespaces/default/configmaps/a/made-up' }),
    ).rejects.toMatchObject({ code: 404 })
    const idle = await new Promise<unknown>((resolve, reject) => {
      get(`${system.url}/healthz`, { ca: system.ca, agent: new Agent({ keepAlive: true }) }, (response) => {
        response.resume()
        response.on('end', () => response.destroy())
        resolve(response.headers['keep-alive'])
      }).on('error', reject)
    })
    // Longer than any client keeps a connection it does not use.
    expect(idle).toBe('timeout=90')
    const text = await known.requestText({ method: 'GET', path })
    expect(text).toContain(
      'apiserver_request_total{verb="create",group="",resource="configmaps",subresource="",code="201"} 1\n',
    )
    expect(text).toContain('apiserver_request_total{verb="patch",group="",resource="",subresource="",code="404"} 1\n')
    expect(text).not.toContain('made')
    expect(text).toMatch(/^apiserver_request_duration_seconds_count\{verb="create"\} \d+$/m)
    expect(text).toMatch(/^apiserver_request_total\{verb="watch",[^}]*resource="virtualmachinesnapshots"[^}]*\} 1$/m)
    expect(text).toMatch(/^rest_client_requests_total\{method="GET",code="200"\} [1-9]/m)
    expect(text).toContain('workqueue_adds_total{name="virt-controller-restore-vmrestore"}')
  } finally {
    stranger.close()
    known.close()
    await system.close()
    await rm(dataDir, { recursive: true })
  }
})
