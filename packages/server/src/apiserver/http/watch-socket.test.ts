import { once } from 'node:events'
import { ClusterRole, ClusterRoleBinding } from '@stillpoint/api/core/rbac'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../testing/server.ts'
import { addUsers, tokenOf } from '../testing/users.ts'
import { refusal, type SocketOptions, TestSocket } from '../testing/web-socket.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const rbac = '/apis/rbac.authorization.k8s.io/v1'

let api: TestServer
beforeAll(async () => {
  api = await startTestServer()
  await addUsers(api, { vera: [], ida: [] })
  await api.client.post(`${rbac}/clusterroles`, {
    ...typeOf(ClusterRole.kind),
    metadata: { name: 'looks' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['watch'] }],
  })
})
afterAll(() => api.close())

const typeOf = (kind: string) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind })
const grant = (user: string) =>
  api.client.post(`${rbac}/clusterrolebindings`, {
    ...typeOf(ClusterRoleBinding.kind),
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'looks' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
  })
const create = (name: string) => api.client.post(configMaps, { metadata: { name }, data: { step: '0' } })
const revision = async () => (await api.client.get(configMaps)).body.metadata.resourceVersion as string

/** A watch, and its messages one by one. */
async function watch(query: string, options: Partial<SocketOptions> = {}) {
  const socket = await TestSocket.open(`${configMaps}?watch=true&${query}`, {
    url: api.server.url,
    ca: api.server.ca,
    token: api.server.controllerToken,
    protocols: [],
    ...options,
  })
  const messages: { data: Buffer; binary: boolean }[] = []
  let wake = () => {}
  socket.ws.on('message', (data: Buffer, binary: boolean) => {
    messages.push({ data, binary })
    wake()
  })
  const next = async () => {
    while (messages.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    const { data, binary } = messages.shift() ?? { data: Buffer.alloc(0), binary: true }
    const text = data.toString()
    const { type, object } = JSON.parse(text)
    return { type, object, binary, ownLine: text.endsWith('\n') }
  }
  return { socket, next }
}

test('shows each change as a text message', async () => {
  const { socket, next } = await watch(`resourceVersion=${await revision()}`)
  await create('a')
  await api.client.merge(`${configMaps}/a`, { data: { step: '1' } })
  await api.client.delete(`${configMaps}/a`)
  for (const [type, step] of [
    ['ADDED', '0'],
    ['MODIFIED', '1'],
    ['DELETED', '1'],
  ]) {
    const event = await next()
    expect(event).toMatchObject({ type, binary: false, ownLine: false })
    expect(event.object).toMatchObject({ metadata: { name: 'a' }, data: { step } })
  }
  socket.close()
})

test('begins with what there is, selects, and ends after its time with a bookmark before', async () => {
  await create('b')
  await create('c')
  const { socket, next } = await watch('fieldSelector=metadata.name%3Dc&timeoutSeconds=5&allowWatchBookmarks=true')
  expect(await next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'c' } } })
  expect(await next()).toMatchObject({ type: 'BOOKMARK' })
  expect((await socket.closed)[0]).toBe(1000)
})

test('agrees to the first subprotocol offered, with a token beside it', async () => {
  await grant('vera')
  const token = `base64url.bearer.authorization.k8s.io.${Buffer.from(tokenOf('vera')).toString('base64url')}`
  const { socket } = await watch('', { token: '', protocols: [token, 'base64.binary.k8s.io'] })
  expect(socket.ws.protocol).toBe('base64.binary.k8s.io')
  socket.close()
})

test('ends when the right to it is withdrawn, and says so', async () => {
  await grant('ida')
  const { socket, next } = await watch(`resourceVersion=${await revision()}`, { token: tokenOf('ida') })
  await api.client.delete(`${rbac}/clusterrolebindings/ida`)
  expect(await next()).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 403 } })
  await socket.closed
})

test.each<[string, string, Partial<SocketOptions>, number]>([
  ['by nobody', configMaps, { token: '' }, 403],
  ['by who may not', configMaps, { token: tokenOf('ida') }, 403],
  ['with a bad token', configMaps, { token: 'wrong-token-0123456789' }, 401],
  ['of nothing known', '/api/v1/namespaces/default/nothings', {}, 404],
  ['of one object', `${configMaps}/a`, {}, 404],
])('%s is refused before it begins', async (_, path, who, code) => {
  const { url, ca, controllerToken: token } = api.server
  const opened = TestSocket.open(`${path}?watch=true`, { url, ca, token, protocols: [], ...who })
  expect((await refusal(opened)).code).toBe(code)
})

test('whose options are wrong is refused with the reason', async () => {
  const { url, ca, controllerToken: token } = api.server
  const opened = TestSocket.open(`${configMaps}?watch=true&resourceVersion=x`, { url, ca, token, protocols: [] })
  expect(await refusal(opened)).toMatchObject({ code: 400, status: { message: expect.stringContaining('"x"') } })
})

test('has a client that is not to talk much', async () => {
  const { socket } = await watch('')
  socket.send('x'.repeat(5_000))
  expect((await socket.closed)[0]).toBe(1009)
})

test('is cut when it is not read, and others do not notice', async () => {
  await create('large')
  const query = `resourceVersion=${await revision()}`
  const slow = await watch(query)
  slow.socket.ws.pause()
  const fast = await watch(query)
  for (let index = 0; index < 40; index++) {
    await api.client.merge(`${configMaps}/large`, { data: { x: `${index}-${'x'.repeat(1_000_000)}` } })
    expect((await fast.next()).object.data.x).toMatch(new RegExp(`^${index}-`))
  }
  slow.socket.ws.resume()
  expect((await slow.socket.closed)[0]).toBe(1006)
  fast.socket.close()
}, 60_000)

test('ends when the server closes', async () => {
  const { socket } = await watch('')
  const closed = once(socket.ws, 'close')
  await api.restart()
  expect((await closed)[0]).toBe(1000)
})
