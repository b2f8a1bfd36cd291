import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClientCertificates } from '../apiserver/auth/client-certificates.ts'
import { TestClient } from '../apiserver/testing/client.ts'
import { startTestServer, type TestServer } from '../apiserver/testing/server.ts'
import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { makeUserKubeconfig, type UserKubeconfigOptions } from './kubeconfig.ts'

let api: TestServer
let dir: string
beforeAll(async () => {
  // A data directory as `up` leaves it: the server's part in `api`, the administrator's kubeconfig beside it.
  dir = await mkdtemp(join(tmpdir(), 'stillpoint-kubeconfig-'))
  api = await startTestServer({ dataDir: join(dir, 'api') })
  await writeFile(join(dir, 'kubeconfig'), api.server.adminKubeconfig)
})
afterAll(async () => {
  await api.close()
  await rm(dir, { recursive: true })
})

const make = (options: Partial<UserKubeconfigOptions> = {}, now = new Date()) =>
  makeUserKubeconfig({ user: 'vera', group: [], expires: '8760h', namespace: 'default', dataDir: dir, ...options }, now)

async function connection(options: Partial<UserKubeconfigOptions> = {}) {
  const file = join(dir, 'made')
  await writeFile(file, await make(options))
  const { server, ca = '', cert = '', key = '' } = await connectionFromKubeconfig(file)
  return { url: server, ca, cert, key }
}

test.each([
  ['vera', ['team', 'viewers']],
  ['vera@example.com', []],
  ['Vera Müller', ['Ärzte']],
  ['a=b, CN=admin', ['O=system:masters']],
  ['#6162', ['"quoted" \\ group']],
  ['true', ['1.5']],
  ['*: &x [y]', []],
])('a client library is user %j by it, in the groups given', async (user, group) => {
  const client = new TestClient(await connection({ user, group }))
  const { body } = await client.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
  expect(body.status.userInfo).toMatchObject({ username: user, groups: [...group, 'system:authenticated'] })
})

test('it is good as long as was asked for', async () => {
  const { cert } = await connection({ expires: '90m' })
  const leftMs = new X509Certificate(cert).validToDate.getTime() - Date.now()
  expect(leftMs / 60_000).toBeGreaterThan(89)
  expect(leftMs / 60_000).toBeLessThanOrEqual(90)
  const later = new Date(Date.now() + 91 * 60_000)
  expect(new ClientCertificates(api.server.ca).identityOf(new X509Certificate(cert), later)).toBeUndefined()
})

test('it names the namespace and the server that were given', async () => {
  const text = await make({ namespace: 'team', server: 'https://host.example.com:6443' })
  expect(text).toContain('server: https://host.example.com:6443\n')
  expect(text).toMatch(/namespace: team\ncurrent-context: vera@stillpoint\n$/)
})

const refused: Record<string, [options: Partial<UserKubeconfigOptions>, message: RegExp]> = {
  'no name': [{ user: '' }, /--user "" cannot be: a name has at least one letter/],
  'a name of the server': [{ user: 'system:controller' }, /--user "system:controller" .*make a ServiceAccount/],
  'a name with a line break': [{ user: 'a\nb' }, /--user "a\\nb" .*no control characters/],
  'a name with a space at its end': [{ user: 'vera ' }, /no space at its ends/],
  'a long name': [{ user: 'x'.repeat(65) }, /at most 64 letters/],
  'a group of the server': [{ group: ['system:nodes'] }, /--group "system:nodes" .*but for system:masters/],
  'a namespace that cannot be': [{ namespace: 'A' }, /--namespace "A" .*RFC 1123 label/],
  'what is no duration': [{ expires: 'soon' }, /--expires "soon" .*a duration like 8760h/],
  'a time that is over': [{ expires: '-1h' }, /--expires "-1h"/],
  'more time than the authority has': [{ expires: '100000h' }, /the certificate authority itself is good until/],
  'a server without TLS': [{ server: 'http://host:6443' }, /--server "http:.*like https:/],
  'a directory without a server': [{ dataDir: '/nowhere' }, /has no certificate authority; start the server once/],
}
describe('refuses', () => {
  test.each(Object.entries(refused))('%s', async (_, [options, message]) => {
    await expect(make(options)).rejects.toThrow(message)
  })

  test('to guess where the server is', async () => {
    await rm(join(dir, 'kubeconfig'))
    await expect(make()).rejects.toThrow(/say so with --server/)
    expect(await make({ server: api.server.url })).toContain(api.server.url)
    await writeFile(join(dir, 'kubeconfig'), 'nonsense: [')
    await expect(make()).rejects.toThrow(/does not tell where the server is/)
  })
})
