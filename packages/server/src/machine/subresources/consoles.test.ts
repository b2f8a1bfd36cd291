import { RoleBinding } from '@stillpoint/api/core/rbac'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import type { StatusError } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TestClient } from '../../apiserver/testing/client.ts'
import { refusal, TestSocket } from '../../apiserver/testing/web-socket.ts'
import { eventually, TestSystem } from '../testing/system.ts'
import { tailOf } from './consoles.ts'

const ref = { namespace: 'default', name: 'web' }
const base = '/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachineinstances/web'

let system: TestSystem
beforeEach(async () => {
  system = await TestSystem.start()
  await system.claim('disk')
})
afterEach(() => system.close())

const open = (what: string, headers: Record<string, string> = {}) =>
  TestSocket.open(`${base}/${what}`, { url: system.api.url, ca: system.api.ca, token: system.userToken, headers })
const refused = async (what: string, headers?: Record<string, string>) => {
  const { code, status } = await refusal(open(what, headers))
  return `${code} ${status.message}`
}
const phase = (wanted: string) =>
  eventually(async () => (await system.user.find(VirtualMachineInstance, ref))?.status?.phase === wanted)
const running = async (strategy = 'Always') => {
  await system.vm('web', strategy)
  await phase('Running')
}

describe('console', () => {
  test('is shared by all who look at the guest', async () => {
    await running()
    const [one, two] = [await open('console'), await open('console')]
    await Promise.all([one.until('>'), two.until('>')])
    one.send('hello')
    await Promise.all([one.until('>hello'), two.until('>hello')])
    const late = await open('console')
    await late.until('>hello')
    const none = await open('console?tailBytes=0')
    two.send('!')
    await Promise.all([one, two, late].map((viewer) => viewer.until('>hello!')))
    await none.until('!')
    expect(none.received.toString()).toBe('!')
  })

  test('ends with the guest, and says how', async () => {
    await running()
    const sockets = [await open('console'), await open('vnc')]
    await system.machine().powerButton()
    for (const socket of sockets)
      expect(await socket.closed).toEqual([1000, 'the guest has ended: the guest powered off'])
  })

  test('ends when the server goes, and is there again after that', async () => {
    await running()
    const sockets = [await open('console'), await open('vnc')]
    await system.stopControllers()
    for (const socket of sockets) expect(await socket.closed).toEqual([1001, 'the server is closing'])
    expect(system.machine().serial?.taken).toBe(false)
    await system.startControllers()
    await (await open('console')).until('>')
  })

  test('of a paused guest can be looked at', async () => {
    await running()
    await system.act('virtualmachineinstances', 'web', 'pause')
    await (await open('console')).until('>')
    await (await open('vnc')).until('RFB')
  })

  test('that a program on this computer holds says so', async () => {
    await running()
    await system.machine().serial?.connect()
    expect(await refused('console')).toMatch(/^409 .*another program on this computer is connected/)
  })

  test('that cannot be reached is no console', async () => {
    await running()
    const { serial } = system.machine()
    if (serial) serial.connectError = new Error('ECONNREFUSED')
    expect(await refused('console')).toBe('500 Internal error occurred: ECONNREFUSED')
  })
})

test('vnc speaks RFB, to several, and a screenshot is a PNG file', async () => {
  await running()
  const [one, two] = [await open('vnc'), await open('vnc?preserveSession=true')]
  await Promise.all([one.until('RFB 003.008\n'), two.until('RFB 003.008\n')])
  one.send('RFB 003.008\n')
  await one.until('RFB 003.008\nRFB 003.008\n')
  const { url, ca } = system.api
  const client = new TestClient({ url, ca, token: system.userToken })
  const { code, headers, text } = await client.get(`${base}/vnc/screenshot`)
  expect([code, headers['content-type'], text.slice(1, 4)]).toEqual([200, 'image/png', 'PNG'])
  const { body } = await client.get('/apis/subresources.kubevirt.io/v1')
  const names = (body.resources as { name: string; verbs: string[] }[])
    .filter(({ verbs }) => verbs.includes('get'))
    .map(({ name }) => name)
  for (const name of ['console', 'vnc', 'vnc/screenshot']) expect(names).toContain(`virtualmachineinstances/${name}`)
})

describe('refused is', () => {
  test('who asks for a guest that is not there', async () => {
    const missing = '404 virtualmachineinstances.kubevirt.io "web" not found'
    expect(await refused('console')).toBe(missing)
    expect(await refused('vnc')).toBe(missing)
  })

  test('who comes too early, in the way that makes clients try again', async () => {
    await system.vm('web', 'Always', 'later')
    await phase('Pending')
    expect(await refused('console')).toBe('400 VMI is not running')
    expect(await refused('vnc')).toBe('400 VMI is not running')
  })

  test('who comes too late', async () => {
    await running('Once')
    system.machine().set({ kind: 'ended', cause: 'GuestPanicked', message: 'the guest panicked' })
    await phase('Failed')
    expect(await refused('console')).toMatch(/^409 .*VMI is in failed status$/)
    expect(await refused('vnc')).toMatch(/^409 .*VMI is in failed status$/)
  })

  test('who asks a guest for what it was made without', async () => {
    await system.vm('web', 'Halted')
    const devices = { autoattachSerialConsole: false, autoattachGraphicsDevice: false }
    const spec = { runStrategy: 'Always', template: { spec: { domain: { devices } } } }
    await system.user.patch(VirtualMachine, ref, { spec })
    await phase('Running')
    expect(await refused('console')).toBe('400 No serial consoles are present.')
    expect(await refused('vnc')).toBe('400 No graphics devices are present.')
  })

  test.each(['-1', '65537', '1e3', '', 'all', '99999999999'])('a tail of %j bytes', async (tailBytes) => {
    expect(await refused(`console?tailBytes=${tailBytes}`)).toBe(
      '400 tailBytes: must be a whole number from 0 to 65536',
    )
  })

  test('who may only read; who may edit is not', async () => {
    await running()
    for (const role of ['view', 'edit', 'admin']) {
      const metadata = { namespace: 'default', name: role }
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `kubevirt.io:${role}` }
      const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: role }]
      await system.user.create(RoleBinding, objectOf(RoleBinding, metadata, { roleRef, subjects }))
    }
    for (const what of ['console', 'vnc']) {
      expect(await refused(what, { 'Impersonate-User': 'view' })).toMatch(
        new RegExp(`^403 .*User "view" cannot get resource "virtualmachineinstances/${what}"`),
      )
      for (const role of ['edit', 'admin']) (await open(what, { 'Impersonate-User': role })).close()
    }
  })
})

test('any text that says how long the tail is to be is a number or refused', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.nat(100_000).map(String)), (tailBytes) => {
      try {
        expect(tailOf(new URLSearchParams({ tailBytes }))).toBeOneOf([Number(tailBytes)])
      } catch (error) {
        expect((error as StatusError).code).toBe(400)
      }
    }),
  )
})
