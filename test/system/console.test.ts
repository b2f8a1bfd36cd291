import { once } from 'node:events'
import { beforeAll, expect, test } from 'vitest'
import { VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { refusal, TestSocket } from '../../packages/server/src/apiserver/testing/web-socket.ts'
import { connectionFromKubeconfig } from '../../packages/server/src/kube/kubeconfig.ts'
import { Fixture } from './fixtures.ts'
import { agentConnected, namespace, shellOf, stopped } from './machine.ts'
import { until } from './until.ts'

// Sitting before a real guest, as virtctl and a browser do.

let fixture: Fixture
beforeAll(async () => {
  fixture = await Fixture.start()
  await fixture.boot('vm')
})

const base = `/apis/subresources.kubevirt.io/v1/namespaces/${namespace}/virtualmachineinstances/vm`

/** With the header `Authorization` of the kubeconfig, and nothing else a browser would add. */
async function open(what: string): Promise<TestSocket> {
  const { server: url, ca = '', authorize } = await connectionFromKubeconfig(fixture.server.kubeconfig)
  return TestSocket.open(`${base}/${what}`, { url, ca, token: '', headers: await authorize() })
}

async function closed(...sockets: TestSocket[]): Promise<void> {
  for (const socket of sockets) socket.close()
  await Promise.all(sockets.map((socket) => socket.closed))
}

test('a console shows what was there before, runs what is typed, and has room for others', async () => {
  const one = await open('console')
  // The end of the boot, which nobody had looked at.
  await one.until('/ #')
  one.send('\n echo "$((6 * 7))-fold"\n')
  await one.until('42-fold')
  const two = await open('console')
  await two.until('42-fold')
  two.send('echo "$((7 * 7))-fold"\n')
  await Promise.all([one, two].map((viewer) => viewer.until('49-fold')))
  expect(one.received.toString().split('42-fold')).toHaveLength(2)
  await closed(one, two)
})

test('a flood of output reaches a viewer whole, and another one who sleeps meanwhile', async () => {
  const [quick, asleep] = [await open('console?tailBytes=0'), await open('console?tailBytes=0')]
  asleep.ws.pause()
  quick.send('i=0; while [ $i -lt 3000 ]; do echo "line $i of the flood"; i=$((i+1)); done; echo "$((8 * 8))-fold"\n')
  await quick.until('64-fold', 120_000)
  const lines = quick.received.toString().match(/line \d+ of the flood\r\n/g) ?? []
  expect(lines).toHaveLength(3_000)
  asleep.ws.resume()
  await asleep.until('64-fold')
  await closed(quick, asleep)
})

test('the port belongs to programs on this computer while nobody looks', async () => {
  const shell = await shellOf(fixture.server, 'vm')
  expect(await shell.must('echo hello')).toBe('hello')
  const { code, status } = await refusal(open('console'))
  expect([code, status.message]).toEqual([409, expect.stringContaining('another program on this computer')])
  shell.close()
  await closed(await open('console'))
})

test('a display is what QEMU says it is, and can be looked at by two', async () => {
  const [one, two] = [await open('vnc'), await open('vnc')]
  for (const viewer of [one, two]) {
    await viewer.until('RFB 003.008\n')
    viewer.send('RFB 003.008\n')
    // Security: one type, none. Then: take it; it is well; shared.
    await viewer.until('\x01\x01')
    viewer.send(Buffer.from([1]))
    viewer.send(Buffer.from([1]))
    await viewer.until('QEMU (')
    const serverInit = viewer.received.subarray('RFB 003.008\n'.length + 2 + 4)
    expect([serverInit.readUInt16BE(0), serverInit.readUInt16BE(2)]).toEqual([expect.any(Number), expect.any(Number)])
    expect(serverInit.readUInt16BE(0)).toBeGreaterThan(300)
  }
  // The whole screen, not incrementally: a message of type 0 comes back.
  const before = one.received.length
  one.send(Buffer.from([3, 0, 0, 0, 0, 0, 0, 64, 0, 64]))
  while (one.received.length < before + 64 * 64) await once(one.ws, 'message')
  expect(one.received[before]).toBe(0)
  await closed(one, two)
})

test('a server that is killed takes viewers with it, and the next one has the same consoles', async () => {
  const viewers = [await open('console'), await open('vnc')]
  await fixture.crash()
  for (const viewer of viewers) expect((await viewer.closed)[0]).toBe(1006)
  await agentConnected(fixture.server, 'vm')
  const again = await open('console')
  again.send('\n echo "$((9 * 9))-fold"\n')
  await again.until('81-fold')
  await closed(again)
})

test('a console ends with its guest, and is not there without one', async () => {
  const viewers = [await open('console'), await open('vnc')]
  await stopped(fixture.server, 'vm')
  for (const viewer of viewers)
    expect(await viewer.closed).toEqual([1000, 'the guest has ended: the guest powered off'])
  expect((await refusal(open('console'))).code).toBe(404)
  await until(fixture.server.client, VirtualMachineInstance, { namespace, name: 'vm' }, (vmi) => vmi === undefined)
})
