import { Event } from '@stillpoint/api/core/event'
import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import type { StatusError } from '@stillpoint/api/meta/status-error'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { GuestAgentError } from '../qemu/guest-agent.ts'
import { eventually, TestSystem } from './testing/system.ts'

// The subresources freeze and unfreeze: spec snapshot-restore (e). One guest serves all tests.

let system: TestSystem
const ref = { namespace: 'default', name: 'web' }
const instance = (matches: (vmi: VirtualMachineInstance) => boolean, limitMs?: number) =>
  eventually(async () => {
    const vmi = await system.user.find(VirtualMachineInstance, ref)
    return vmi !== undefined && matches(vmi) && vmi
  }, limitMs)

beforeAll(async () => {
  system = await TestSystem.start()
  await system.claim('disk')
  await system.vm('web', 'Manual')
  await system.act('virtualmachines', 'web', 'start')
  await instance(({ status }) => status?.phase === 'Running')
  system.machine().agent.setAnswering(true)
  await instance(({ status }) => isTrue(status?.conditions, 'AgentConnected'))
})
afterAll(() => system.close())
beforeEach(async () => {
  const { agent } = system.machine()
  agent.freezeError = undefined
  agent.thawError = undefined
  await call('unfreeze')
  agent.freezes = 0
  agent.thaws = 0
})

/** What the API answers: nothing when all is well, else code and text. */
const call = (action: string, body?: unknown, { version = 'v1', name = 'web' } = {}): Promise<string | undefined> =>
  system.user
    .call(
      {
        group: 'subresources.kubevirt.io',
        version,
        namespace: 'default',
        resource: 'virtualmachineinstances',
        name,
        subresource: action,
      },
      { method: 'PUT', ...(body === undefined ? {} : { body }) },
    )
    .then(
      (answer) => (answer === undefined ? undefined : JSON.stringify(answer)),
      (error: StatusError) => `${error.code} ${error.reason} ${error.message}`,
    )
const freeze = (unfreezeTimeout = '30s') => call('freeze', { unfreezeTimeout })
const internal = (text: string) => `500 InternalError Internal error occurred: ${text}`

test.each(['v1', 'v1alpha3'])('e.1 %s: 200 and no body, frozen and thawed when it comes', async (version) => {
  const { agent } = system.machine()
  expect(await call('freeze', { unfreezeTimeout: '30s' }, { version })).toBeUndefined()
  expect(agent.frozen).toBe(true)
  expect(await call('unfreeze', undefined, { version })).toBeUndefined()
  expect(agent.frozen).toBe(false)
})

test('e.2 404 for an instance that does not exist', async () => {
  for (const action of ['freeze', 'unfreeze'])
    expect(await call(action, { unfreezeTimeout: '1s' }, { name: 'nobody' })).toBe(
      '404 NotFound virtualmachineinstances.kubevirt.io "nobody" not found',
    )
})

test.each([
  ['without a body', undefined, 'Unfreeze timeout in freeze request is not set'],
  ['without a timeout', {}, 'Unfreeze timeout in freeze request is not set'],
  ['with nonsense for a timeout', { unfreezeTimeout: 'soon' }, 'failed to unmarshal unfreeze timeout'],
  ['with a number for a timeout', { unfreezeTimeout: 30 }, 'failed to unmarshal unfreeze timeout'],
])('e.2 500 %s', async (_, body, text) => expect(await call('freeze', body)).toBe(internal(text)))

test('e.2 500 and a FreezeError when the guest refuses', async () => {
  const { agent } = system.machine()
  agent.freezeError = new GuestAgentError('guest-fsfreeze-freeze', 'GenericError', 'hook said no')
  const text = 'guest-fsfreeze-freeze: hook said no'
  expect(await freeze()).toBe(internal(`server error. command Freeze failed: "${text}"`))
  const event = await eventually(async () => {
    const { items } = await system.user.list(Event, { namespace: 'default' })
    return items.find(({ reason }) => reason === 'FreezeError')
  })
  expect(event).toMatchObject({
    type: 'Warning',
    message: `Failed to freeze VMI: ${text}`,
    involvedObject: { kind: 'VirtualMachineInstance', name: 'web' },
  })
})

test('e.2 500 when no agent answers', async () => {
  const { agent } = system.machine()
  agent.setAnswering(false)
  expect(await freeze()).toMatch(/^500 InternalError .*command Freeze failed: ".*no guest agent answers; install/)
  agent.setAnswering(true)
})

test('e.2 500 when the guest does not thaw', async () => {
  const { agent } = system.machine()
  await freeze()
  agent.thawError = new GuestAgentError('guest-fsfreeze-thaw', 'GenericError', 'no')
  expect(await call('unfreeze')).toBe(internal('server error. command Unfreeze failed: "guest-fsfreeze-thaw: no"'))
})

test('e.2 500 for a paused instance, at once, as its silence would lead to after a minute', async () => {
  await call('pause', {})
  expect(await freeze()).toBe(
    internal('server error. command Freeze failed: "guest-fsfreeze-freeze: the guest is paused; unpause it first"'),
  )
  await call('unpause', {})
})

test('e.3-2 frozen already: nothing is done, and the timer runs on as it was', async () => {
  const { agent } = system.machine()
  await freeze('1s')
  const asked = performance.now()
  expect(await freeze('300s')).toBeUndefined()
  expect(agent.freezes).toBe(1)
  await eventually(async () => !agent.frozen, 10_000)
  expect(performance.now() - asked).toBeLessThan(10_000)
})

test('e.3-5 e.4 the timer thaws a guest that nobody thaws, once', async () => {
  const { agent } = system.machine()
  await freeze('1s')
  await eventually(async () => !agent.frozen)
  expect(await call('unfreeze')).toBeUndefined()
  expect(agent).toMatchObject({ freezes: 1, thaws: 1 })
})

test('e.4 thawed already: nothing is asked of the guest', async () => {
  const { agent } = system.machine()
  await freeze()
  for (let time = 0; time < 3; time += 1) expect(await call('unfreeze')).toBeUndefined()
  expect(agent).toMatchObject({ freezes: 1, thaws: 1 })
})

test('e.4 a new freeze has a timer of its own: that of an earlier one does not end it', async () => {
  const { agent } = system.machine()
  await freeze('1s')
  await call('unfreeze')
  await freeze('30s')
  // Past the end of the first.
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect(agent).toMatchObject({ frozen: true, freezes: 2, thaws: 1 })
})

test('e.5 frozen is shown, thawed is the absence of it', async () => {
  await freeze()
  await instance(({ status }) => status?.fsFreezeStatus === 'frozen')
  await call('unfreeze')
  await instance(({ status }) => status !== undefined && !('fsFreezeStatus' in status))
})

test('e.5 a freeze by somebody else is seen within a poll', async () => {
  const { agent } = system.machine()
  agent.frozen = true
  await instance(({ status }) => status?.fsFreezeStatus === 'frozen', 12_000)
  agent.frozen = false
})

// The last one: it ends the guest, whose instance stays.
test('e.2 409 for an instance that does not run', async () => {
  system.machine().set({ kind: 'ended', cause: 'GuestShutdown', message: 'the guest powered off' })
  const conflict = (why: string) =>
    `409 Conflict Operation cannot be fulfilled on virtualmachineinstances.kubevirt.io "web": ${why}`
  expect(await freeze()).toBe(conflict('VM is not running'))
  expect(await call('unfreeze')).toBe(conflict('VMI is not running'))
})
