import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FreezeLeases } from '../qemu/freeze-lease.ts'
import { FreezeInDoubtError, GuestAgentError } from '../qemu/guest-agent.ts'
import { type FreezeNews, Freezer, leaseMs } from './freezer.ts'
import type { MachineSpec } from './hypervisor/hypervisor.ts'
import { MemoryHypervisor, type MemoryMachine } from './testing/memory-hypervisor.ts'

test.each([
  [0, 30_000],
  [-5, 30_000],
  [10, 1_000],
  [2_500, 2_500],
  [3_600_000, 300_000],
])('a freeze asked for %d ms lasts %d ms at most', (asked, lasts) => {
  expect(leaseMs(asked)).toBe(lasts)
})

describe('a lease', () => {
  let root: string
  let hypervisor: MemoryHypervisor
  let machine: MemoryMachine
  let freezer: Freezer
  let news: FreezeNews[]
  const fresh = (): Freezer => {
    const onNews = (one: FreezeNews) => news.push(one)
    const log = pino({ level: 'silent' })
    return new Freezer({ hypervisor, leases: new FreezeLeases(root), log, now: () => new Date(), onNews })
  }
  const leaseOnDisk = async (): Promise<boolean> => (await readdir(machine.folder)).includes('freeze.json')

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sp-'))
    hypervisor = new MemoryHypervisor()
    const spec = { id: 'm', name: 'default.web', folder: join(root, 'm') } as MachineSpec
    machine = (await hypervisor.launch(spec)) as MemoryMachine
    await machine.run()
    machine.agent.setAnswering(true)
    news = []
    freezer = fresh()
  })
  afterEach(async () => {
    freezer.close()
    await rm(root, { recursive: true, force: true })
  })

  test('is on disk before the guest is frozen', async () => {
    let seen: boolean | undefined
    const { agent } = machine
    const freeze = agent.freeze.bind(agent)
    agent.freeze = async () => {
      seen = await leaseOnDisk()
      return freeze()
    }
    await freezer.freeze(machine, 30_000)
    expect(seen).toBe(true)
    await freezer.unfreeze(machine)
    expect(await leaseOnDisk()).toBe(false)
    expect(news.map(({ what }) => what)).toEqual(['frozen', 'thawed'])
  })

  test('stays until a thaw is confirmed', async () => {
    await freezer.freeze(machine, 30_000)
    machine.agent.thawError = new GuestAgentError('guest-fsfreeze-thaw', 'Timeout', 'no reply')
    await expect(freezer.unfreeze(machine)).rejects.toThrow('no reply')
    expect(await leaseOnDisk()).toBe(true)
    machine.agent.thawError = undefined
    await freezer.unfreeze(machine)
    expect(await leaseOnDisk()).toBe(false)
  })

  test('of another server is ended at once', async () => {
    await freezer.freeze(machine, 30_000)
    freezer.close()
    freezer = fresh()
    await freezer.recover([machine])
    await expect.poll(() => machine.agent.frozen).toBe(false)
    await expect.poll(leaseOnDisk).toBe(false)
    expect(news.at(-1)).toMatchObject({ what: 'thawed', why: 'the server was restarted while the guest was frozen' })
  })

  test('of another server does not stand in for a new freeze', async () => {
    await freezer.freeze(machine, 30_000)
    freezer.close()
    freezer = fresh()
    await freezer.recover([machine])
    await freezer.freeze(machine, 30_000)
    expect(machine.agent).toMatchObject({ frozen: true, freezes: 2, thaws: 1 })
  })

  test('of a freeze that nobody answered stays until the guest is known to be thawed', async () => {
    const settled = Promise.withResolvers<'thawed' | 'lost'>()
    machine.agent.freezeError = new FreezeInDoubtError('no reply', settled.promise)
    await expect(freezer.freeze(machine, 30_000)).rejects.toThrow('no reply')
    expect(await leaseOnDisk()).toBe(true)
    await expect(freezer.freeze(machine, 30_000)).rejects.toThrow('an earlier freeze is still being undone')
    settled.resolve('thawed')
    await expect.poll(leaseOnDisk).toBe(false)
    machine.agent.freezeError = undefined
    await freezer.freeze(machine, 30_000)
    expect(machine.agent.frozen).toBe(true)
  })

  test("covers somebody else's freeze, which is taken for ours", async () => {
    machine.agent.frozen = true
    await freezer.freeze(machine, 30_000)
    expect(freezer.isFrozen('m')).toBe(true)
    await freezer.unfreeze(machine)
    expect(machine.agent.frozen).toBe(false)
  })

  test('ends with a reset of the guest', async () => {
    await freezer.freeze(machine, 30_000)
    await freezer.forget('m')
    expect(await leaseOnDisk()).toBe(false)
    expect(machine.agent.thaws).toBe(0)
  })

  const byBackup = { holder: 'backup', leftMs: expect.closeTo(30_000, -3) }
  const byNobody = { holder: undefined }
  const refused = (by: object) => expect.objectContaining({ name: 'FreezeHeldError', ...by })
  const freeze = (holder?: string) => () => freezer.freeze(machine, 30_000, holder)
  const unfreeze = (holder?: string) => () => freezer.unfreeze(machine, holder)
  test.each<[string, (() => Promise<void>)[], unknown, { frozen: boolean; freezes: number; thaws: number }]>([
    [
      'with a holder is not ended by another holder',
      [freeze('backup'), unfreeze('snapshot')],
      refused(byBackup),
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    [
      'with a holder is not ended without one',
      [freeze('backup'), unfreeze()],
      refused(byBackup),
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    [
      'with a holder is ended by that holder',
      [freeze('backup'), unfreeze('backup')],
      undefined,
      { frozen: false, freezes: 1, thaws: 1 },
    ],
    [
      'with a holder lets no other holder freeze',
      [freeze('backup'), freeze('snapshot')],
      refused(byBackup),
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    [
      'with a holder lets nobody freeze without one',
      [freeze('backup'), freeze()],
      refused(byBackup),
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    [
      'with a holder is had by asking again',
      [freeze('backup'), freeze('backup')],
      undefined,
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    ['without holder is had by asking again', [freeze(), freeze()], undefined, { frozen: true, freezes: 1, thaws: 0 }],
    [
      'without holder lets no holder freeze',
      [freeze(), freeze('snapshot')],
      refused(byNobody),
      { frozen: true, freezes: 1, thaws: 0 },
    ],
    [
      'without holder is ended by anybody',
      [freeze(), unfreeze('snapshot')],
      undefined,
      { frozen: false, freezes: 1, thaws: 1 },
    ],
    [
      'that is over lets the next holder freeze',
      [freeze('backup'), unfreeze('backup'), freeze('snapshot')],
      undefined,
      { frozen: true, freezes: 2, thaws: 1 },
    ],
    [
      'of nobody is ended by any holder, again and again',
      [freeze(), unfreeze('a'), unfreeze('b')],
      undefined,
      { frozen: false, freezes: 1, thaws: 1 },
    ],
  ])('%s', async (_, calls, error, then) => {
    const last = calls.pop()
    for (const call of calls) await call()
    expect(await last?.().catch((thrown: unknown) => thrown)).toEqual(error)
    expect(machine.agent).toMatchObject(then)
    expect(await leaseOnDisk()).toBe(then.frozen)
  })

  test('keeps its holder on disk, and its end when the holder asks again', async () => {
    await freezer.freeze(machine, 30_000, 'backup')
    expect(await new FreezeLeases(root).read('m')).toMatchObject({ vm: 'm', holder: 'backup' })
    const { leftMs = 0 } = freezer.heldBy('m') ?? {}
    await freezer.freeze(machine, 300_000, 'backup')
    expect(freezer.heldBy('m')?.leftMs).toBeLessThanOrEqual(leftMs)
  })

  test('of a holder is nobody’s any more once a thaw is owed', async () => {
    await freezer.freeze(machine, 30_000, 'backup')
    machine.agent.thawError = new GuestAgentError('guest-fsfreeze-thaw', 'Timeout', 'no reply')
    await expect(freezer.unfreeze(machine, 'backup')).rejects.toThrow('no reply')
    machine.agent.thawError = undefined
    await freezer.freeze(machine, 30_000, 'snapshot')
    expect(machine.agent).toMatchObject({ frozen: true, freezes: 2, thaws: 1 })
  })

  test('of a holder on another server does not outlive that server', async () => {
    await freezer.freeze(machine, 30_000, 'backup')
    freezer.close()
    freezer = fresh()
    await freezer.recover([machine])
    await freezer.freeze(machine, 30_000, 'snapshot')
    expect(freezer.heldBy('m')?.holder).toBe('snapshot')
  })

  test("covers somebody else's freeze for a while, which no holder gets for its own", async () => {
    machine.agent.frozen = true
    await expect(freezer.freeze(machine, 1_000, 'backup')).rejects.toThrow('by a client that gave no holder')
    expect(freezer.heldBy('m')).toBeUndefined()
    await expect.poll(() => machine.agent.frozen, { timeout: 3_000 }).toBe(false)
  })

  test('is ended when a guest that was paused meanwhile runs again', async () => {
    await freezer.freeze(machine, 30_000, 'backup')
    await machine.pause()
    await expect(freezer.unfreeze(machine, 'backup')).rejects.toThrow('it is thawed as soon as it runs')
    expect(machine.agent).toMatchObject({ frozen: true, thaws: 0 })
    expect(await leaseOnDisk()).toBe(true)
    await machine.run()
    freezer.runs('m')
    await expect.poll(leaseOnDisk).toBe(false)
    expect(machine.agent).toMatchObject({ frozen: false, thaws: 1 })
  })

  test('whose end came while the guest was paused is ended when it runs again', async () => {
    await freezer.freeze(machine, 1_000, 'backup')
    await machine.pause()
    await expect.poll(() => freezer.heldBy('m'), { timeout: 3_000 }).toBeUndefined()
    expect(machine.agent.frozen).toBe(true)
    await machine.run()
    freezer.runs('m')
    await expect.poll(leaseOnDisk).toBe(false)
  })

  test.each([
    ['of a holder lets it be paused when it is over', 'backup', 5_000, true],
    ['of a holder that takes too long does not', 'backup', 20, false],
    ['without holder does not keep it from being paused', undefined, 5_000, false],
  ])('%s', async (_, holder, limitMs, thawedFirst) => {
    await freezer.freeze(machine, 30_000, holder)
    const pausing = freezer.betweenFreezes('m', limitMs, () => machine.pause())
    if (thawedFirst) await freezer.unfreeze(machine, holder)
    await pausing
    expect(machine.state.kind).toBe('paused')
    expect(machine.agent.frozen).toBe(!thawedFirst)
  })

  test('that begins while a pause waits is refused, not done to a paused guest', async () => {
    const pausing = freezer.betweenFreezes('m', 5_000, () => machine.pause())
    await expect(freezer.freeze(machine, 30_000, 'backup')).rejects.toThrow('the guest is paused')
    await pausing
    expect(await leaseOnDisk()).toBe(false)
  })

  test('is not begun for a guest that is paused, and then there is nothing to thaw', async () => {
    await machine.pause()
    machine.agent.freezeStatus = () => Promise.reject(new GuestAgentError('guest-sync', 'Timeout', 'no reply'))
    await expect(freezer.freeze(machine, 30_000)).rejects.toThrow('the guest is paused; unpause it first')
    await freezer.unfreeze(machine)
    expect(machine.agent).toMatchObject({ freezes: 0, thaws: 0 })
    expect(await leaseOnDisk()).toBe(false)
  })

  const happening = fc.record({
    what: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'restart' as const, 'shutdown' as const),
    by: fc.constantFrom(undefined, 'a', 'b'),
    thawFails: fc.boolean(),
  })
  type Happening = typeof happening extends fc.Arbitrary<infer One> ? One : never
  type Frozen = { by: string | undefined; owed: boolean } | undefined

  /** What must have come of it. */
  function after(frozen: Frozen, { what, by, thawFails }: Happening): { frozen: Frozen; error?: string } {
    if (what === 'restart' || what === 'shutdown') return { frozen: undefined }
    const held = frozen?.owed === false
    if (held && frozen?.by !== by && (what === 'freeze' || frozen?.by !== undefined))
      return { frozen, error: 'FreezeHeldError' }
    if (held && what === 'freeze') return { frozen }
    if (frozen && thawFails) return { frozen: { ...frozen, owed: true }, error: 'GuestAgentError' }
    return { frozen: what === 'freeze' ? { by, owed: false } : undefined }
  }

  async function happen({ what, by, thawFails }: Happening): Promise<void> {
    if (what === 'restart') {
      freezer.close()
      freezer = fresh()
      await freezer.recover([machine])
      while (await leaseOnDisk()) await new Promise((resolve) => setImmediate(resolve))
    } else if (what === 'shutdown') await freezer.thawBefore(machine, 'it is to end')
    else {
      machine.agent.thawError = thawFails ? new GuestAgentError('thaw', 'Timeout', 'no reply') : undefined
      await (what === 'freeze' ? freezer.freeze(machine, 30_000, by) : freezer.unfreeze(machine, by)).finally(() => {
        machine.agent.thawError = undefined
      })
    }
  }

  test('whatever happens, a lease covers the freeze, and nobody ends that of another holder', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { maxLength: 12 }), async (events) => {
        await freezer.thaw(machine, 'a new run')
        let frozen: Frozen
        for (const event of events) {
          const expected = after(frozen, event)
          frozen = expected.frozen
          const error = await happen(event).catch((thrown: Error) => thrown.name)
          expect(error).toBe(expected.error)
          expect(machine.agent.frozen).toBe(frozen !== undefined)
          expect(await leaseOnDisk()).toBe(frozen !== undefined)
          expect(freezer.heldBy('m')?.holder).toBe(frozen?.owed === false ? frozen.by : undefined)
        }
      }),
      { numRuns: 200 },
    )
  })

  test('that a Windows guest could not hold is reported', async () => {
    await freezer.freeze(machine, 30_000)
    const { agent } = machine
    const thaw = agent.thaw.bind(agent)
    agent.thaw = async () => ({ ...(await thaw()), complaint: 'fsfreeze is limited up to 10 seconds' })
    await expect(freezer.unfreeze(machine)).rejects.toThrow('fsfreeze is limited')
    expect(await leaseOnDisk()).toBe(false)
  })
})
