import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FreezeInDoubtError, GuestAgent, GuestAgentError } from './guest-agent.ts'
import {
  freezableFilesystems,
  readExecStatus,
  readFilesystems,
  readInterfaces,
  readOsInfo,
  readUsers,
} from './guest-facts.ts'
import { type FakeAgent, fakeAgent } from './testing/fake-agent.ts'

let guest: FakeAgent
let agent: GuestAgent
beforeEach(async () => {
  guest = await fakeAgent()
  agent = await GuestAgent.attach(guest.path, { timeoutMs: 1000, replyLimitBytes: 100_000 })
})
afterEach(async () => {
  await agent.close()
  await guest.close()
})

test('synchronises once, then asks', async () => {
  await agent.ping()
  await agent.ping()
  expect(guest.log).toEqual(['guest-sync-delimited', 'guest-ping', 'guest-ping'])
  expect(agent.answering).toBe(true)
})

test('a reply left over from before is not taken for an answer', async () => {
  guest.send('{"return": "stale"}\n{"retu')
  guest.answer = (command) => (command === 'guest-get-host-name' ? { value: { 'host-name': 'web-1' } } : 'proper')
  expect(await agent.hostName()).toBe('web-1')
})

test('calls made together are asked one after the other', async () => {
  guest.answer = (command) => (command === 'guest-get-host-name' ? { value: { 'host-name': 'a' } } : 'proper')
  const results = await Promise.all([agent.hostName(), agent.ping(), agent.freezeStatus(), agent.hostName()])
  expect(results).toEqual(['a', undefined, 'thawed', 'a'])
})

describe('a guest that misbehaves once costs one call, and the next works', () => {
  const misdeeds: Record<string, [FakeAgent['answer'] extends (c: string) => infer A ? A : never, string]> = {
    'answers no JSON': [{ bytes: 'garbage\n' }, 'Garbage'],
    'answers half JSON and stops': [{ bytes: '{"return": {' }, 'Timeout'],
    'answers megabytes without a newline': [{ bytes: 'x'.repeat(3_000_000) }, 'Garbage'],
    'answers with the sync of somebody else': [
      { bytes: Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return": 1}\n')]) },
      'Timeout',
    ],
    'does not answer': ['silence', 'Timeout'],
    'answers a list': [{ bytes: '[]\n' }, 'Garbage'],
  }
  test.each(Object.entries(misdeeds))('%s', async (_, [answer, errorClass]) => {
    await agent.sync()
    let misbehaves = true
    guest.answer = () => {
      const now = misbehaves ? answer : 'proper'
      misbehaves = false
      return now
    }
    await expect(agent.ping({ timeoutMs: 300 })).rejects.toMatchObject({ class: errorClass })
    await agent.ping()
  })
})

test('a guest that answers the sync with the wrong id does not answer', async () => {
  guest.answer = () => ({ bytes: Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return": 99}\n')]) })
  await expect(agent.sync({ timeoutMs: 100 })).rejects.toMatchObject({ class: 'Timeout' })
  expect(agent.answering).toBe(false)
})

test('a guest that talks without end and unasked is not listened to, and still gets its turn', async () => {
  await agent.ping()
  for (let count = 0; count < 100; count++) guest.send('{"return": "nonsense"}\n'.repeat(1000))
  await agent.ping({ timeoutMs: 5000 })
})

test('the agent’s words are cleaned before they get anywhere', async () => {
  guest.answer = (command) => (command === 'guest-ping' ? { error: `no\u001b[2J${'x'.repeat(10_000)}` } : 'proper')
  const err = (await agent.ping().catch((thrown: unknown) => thrown)) as GuestAgentError
  expect(err).toBeInstanceOf(GuestAgentError)
  expect(err.desc.length).toBeLessThanOrEqual(500)
  expect(err.desc).not.toContain('\u001b')
})

test('freezes, refuses what a frozen agent refuses, and thaws to the end', async () => {
  const { frozenFilesystems, startedAt, endedAt } = await agent.freeze()
  expect(frozenFilesystems).toBe(3)
  expect(endedAt.getTime()).toBeGreaterThanOrEqual(startedAt.getTime())
  expect(await agent.freezeStatus()).toBe('frozen')
  await expect(agent.fsInfo()).rejects.toMatchObject({ class: 'CommandNotFound' })
  expect((await agent.thaw()).thawedFilesystems).toBe(3)
  expect(await agent.freezeStatus()).toBe('thawed')
})

test('a refused freeze is a plain error, with nothing left to do', async () => {
  guest.answer = (command) =>
    command === 'guest-fsfreeze-freeze' ? { error: 'fsfreeze hook has failed with status 3' } : 'proper'
  const err = await agent.freeze().catch((thrown: unknown) => thrown)
  expect(err).not.toBeInstanceOf(FreezeInDoubtError)
  expect(err).toMatchObject({ desc: 'fsfreeze hook has failed with status 3' })
})

test('a freeze that nobody answers is in doubt: the guest is thawed as soon as it answers again', async () => {
  let deaf = false
  guest.answer = (command) => {
    if (command === 'guest-fsfreeze-freeze') {
      // Carried out, but the reply comes much too late; meanwhile nothing answers.
      deaf = true
      guest.frozen = true
      setTimeout(() => {
        guest.send('{"return": 3}\n')
        deaf = false
      }, 500)
    }
    return deaf ? 'silence' : 'proper'
  }
  const err = (await agent.freeze({ timeoutMs: 100 }).catch((thrown: unknown) => thrown)) as FreezeInDoubtError
  expect(err).toBeInstanceOf(FreezeInDoubtError)
  expect(guest.frozen).toBe(true)
  expect(await err.settled).toBe('thawed')
  expect(guest.frozen).toBe(false)
  await agent.ping()
})

test('a freeze in doubt is lost with the connection', async () => {
  guest.answer = (command) => (command === 'guest-fsfreeze-freeze' ? 'silence' : 'proper')
  await agent.sync()
  guest.answer = (command) => (command === 'guest-sync-delimited' && guest.log.length < 3 ? 'proper' : 'silence')
  const err = (await agent.freeze({ timeoutMs: 100 }).catch((thrown: unknown) => thrown)) as FreezeInDoubtError
  expect(err).toBeInstanceOf(FreezeInDoubtError)
  await guest.close()
  expect(await err.settled).toBe('lost')
})

test('thaws even a guest that says it is thawed, for it may have forgotten', async () => {
  await agent.thaw()
  expect(guest.log).toContain('guest-fsfreeze-thaw')
})

test('thaws again until the guest says thawed', async () => {
  guest.frozen = true
  let attempts = 0
  guest.answer = (command) => {
    if (command === 'guest-fsfreeze-thaw' && ++attempts < 3) return { value: 0 }
    return 'proper'
  }
  expect((await agent.thaw()).thawedFilesystems).toBe(3)
  expect(attempts).toBe(3)
})

test('passes on the complaint of a guest that thawed itself too early', async () => {
  guest.answer = (command) =>
    command === 'guest-fsfreeze-thaw' ? { error: 'fsfreeze is limited up to 10 seconds' } : 'proper'
  expect(await agent.thaw()).toMatchObject({ complaint: 'fsfreeze is limited up to 10 seconds' })
})

test('a shutdown without reply is obeyed, a refused one is an error', async () => {
  guest.answer = (command) => (command === 'guest-shutdown' ? 'silence' : 'proper')
  await agent.shutdown('powerdown')
  guest.answer = () => 'proper'
  guest.frozen = true
  await expect(agent.shutdown()).rejects.toMatchObject({ class: 'CommandNotFound' })
})

test('tells when the agent comes and goes', async () => {
  const seen: boolean[] = []
  agent.onPresence((answering) => seen.push(answering))
  agent.portChanged(true)
  await agent.ping()
  agent.portChanged(false)
  expect(seen).toEqual([true, false])
})

test('asks at once when the port opens, however long it has waited before', async () => {
  guest.answer = () => 'silence'
  agent.portChanged(true)
  await new Promise((resolve) => setTimeout(resolve, 50))
  guest.answer = () => 'proper'
  const appeared = new Promise((resolve) => agent.onPresence(resolve))
  const openedAt = Date.now()
  agent.portChanged(true)
  expect(await appeared).toBe(true)
  expect(Date.now() - openedAt).toBeLessThan(1000)
})

test('a port that closes ends the call at once', async () => {
  await agent.sync()
  guest.answer = () => 'silence'
  const call = agent.ping({ timeoutMs: 10_000 })
  setTimeout(() => agent.portChanged(false), 20)
  await expect(call).rejects.toMatchObject({ class: 'Disconnected' })
})

test('a call behind a slow one gives up in time', async () => {
  await agent.sync()
  guest.answer = () => 'silence'
  const slow = agent.ping({ timeoutMs: 300 }).catch(() => 'gave up')
  await expect(agent.ping({ timeoutMs: 50 })).rejects.toThrow(/waited 50 ms for guest-ping/)
  expect(await slow).toBe('gave up')
})

test('whatever a guest answers, the facts read from it are of their type and bounded', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (reply) => {
      for (const read of [readFilesystems, readUsers, readInterfaces]) expect(Array.isArray(read(reply))).toBe(true)
      expect(typeof readOsInfo(reply).id).toBe('string')
      expect(Buffer.isBuffer(readExecStatus(reply).stdout)).toBe(true)
    }),
  )
  expect(readFilesystems(Array(100_000).fill({ name: 'x' }))).toHaveLength(256)
})

test('counts each device once and names what a freeze skips', () => {
  const filesystems = readFilesystems([
    { name: 'vda1', mountpoint: '/', type: 'ext4', disk: [] },
    { name: 'vda1', mountpoint: '/srv', type: 'ext4', disk: [] },
    {
      name: 'vda2',
      mountpoint: '/boot/efi',
      type: 'vfat',
      disk: [{ 'bus-type': 'virtio', serial: 'root', dev: '/dev/vda' }],
    },
  ])
  const { freezable, skipped } = freezableFilesystems(filesystems)
  expect(freezable).toEqual(['vda1'])
  expect(skipped).toMatchObject([{ mountpoint: '/boot/efi', disks: [{ serial: 'root' }] }])
})
