import { type RunStrategy, runStrategies } from '@stillpoint/api/kubevirt/kinds'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Instance,
  nextStartFailure,
  type ObservedVm,
  openRequests,
  planVm,
  type StateChangeRequest,
} from './plan.ts'

const now = new Date('2026-01-01T00:00:00Z')
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000)

function observed(vm: Partial<ObservedVm['vm']>, rest: Partial<Omit<ObservedVm, 'vm'>> = {}): ObservedVm {
  return {
    now,
    vm: {
      deleting: false,
      orphaning: false,
      held: true,
      strategy: 'Always',
      requests: [],
      delayDataVolumes: false,
      ...vm,
    },
    dataVolumes: [],
    ...rest,
  }
}

const running: Instance = {
  uid: 'i1',
  owned: true,
  deleting: false,
  final: false,
  failed: false,
  held: true,
  runningSince: now,
}
const succeeded: Instance = { ...running, final: true, endedAt: now }
const failed: Instance = { ...succeeded, failed: true }
const start: StateChangeRequest = { action: 'Start' }
const stop: StateChangeRequest = { action: 'Stop', uid: 'i1' }
const create = { do: 'create', paused: false }
const nothing = { do: 'nothing' }
// What would start each strategy's VM.
const held: [RunStrategy, Partial<ObservedVm['vm']>][] = [
  ['Always', {}],
  ['Once', {}],
  ['Manual', { requests: [start] }],
  ['RerunOnFailure', { requests: [start] }],
  ['RerunOnFailure', { lastStrategy: 'Halted' }],
]
const deletion = expect.objectContaining({ do: 'delete', uid: 'i1' })

test.each<[string, ObservedVm, unknown]>([
  ['a new VM is held first, so that its deletion is seen', observed({ held: false }), { do: 'hold' }],
  ['Always without an instance creates one', observed({}), create],
  ['Always deletes an instance whose guest powered off', observed({}, { instance: succeeded }), deletion],
  [
    'Always deletes an instance that is to be restarted',
    observed({ requests: [stop, start] }, { instance: running }),
    deletion,
  ],
  ['Always leaves a running instance alone', observed({}, { instance: running }), nothing],
  ['Halted without an instance does nothing', observed({ strategy: 'Halted' }), nothing],
  ['Halted deletes a running instance', observed({ strategy: 'Halted' }, { instance: running }), deletion],
  ['Manual waits for a request', observed({ strategy: 'Manual' }), nothing],
  ['Manual starts when asked', observed({ strategy: 'Manual', requests: [start] }), create],
  [
    'Manual starts paused when asked so',
    observed({ strategy: 'Manual', requests: [{ action: 'Start', data: { paused: 'true' } }] }),
    { do: 'create', paused: true },
  ],
  ['Manual keeps an instance that has ended', observed({ strategy: 'Manual' }, { instance: succeeded }), nothing],
  [
    'Manual removes an ended instance when a start is asked for',
    observed({ strategy: 'Manual', requests: [start] }, { instance: failed }),
    deletion,
  ],
  ['Manual stops when asked', observed({ strategy: 'Manual', requests: [stop] }, { instance: running }), deletion],
  [
    'a stop request for an instance of the past is ignored',
    observed({ strategy: 'Manual', requests: [{ action: 'Stop', uid: 'i0' }] }, { instance: running }),
    nothing,
  ],
  [
    'RerunOnFailure starts when just switched to',
    observed({ strategy: 'RerunOnFailure', lastStrategy: 'Halted' }),
    create,
  ],
  [
    'RerunOnFailure stays down after the guest ended',
    observed({ strategy: 'RerunOnFailure', lastStrategy: 'RerunOnFailure' }),
    nothing,
  ],
  [
    'RerunOnFailure removes a failed instance',
    observed({ strategy: 'RerunOnFailure' }, { instance: failed }),
    deletion,
  ],
  ['Once keeps an instance that has ended', observed({ strategy: 'Once' }, { instance: failed }), nothing],
  ...held.map(([strategy, vm]): [string, ObservedVm, unknown] => [
    `no instance is created while a restore holds the VM: ${strategy}`,
    observed({ strategy, ...vm, restoring: 'r' }),
    { do: 'wait', reason: 'RestoreInProgress', why: 'restore "r" is in progress' },
  ]),
  [
    'Always gets no second instance while a restore holds the VM, only the end of the first',
    observed({ restoring: 'r' }, { instance: succeeded }),
    deletion,
  ],
  [
    'data volumes are created as soon as the VM exists',
    observed({ strategy: 'Halted' }, { dataVolumes: [{ name: 'd', exists: false, ready: false }] }),
    { do: 'createDataVolumes', names: ['d'] },
  ],
  [
    'data volumes may be delayed to the first start',
    observed(
      { strategy: 'Halted', delayDataVolumes: true },
      { dataVolumes: [{ name: 'd', exists: false, ready: false }] },
    ),
    nothing,
  ],
  [
    'a start waits for data volumes',
    observed({}, { dataVolumes: [{ name: 'd', exists: true, ready: false }] }),
    { do: 'wait', why: 'data volumes are not ready: d' },
  ],
  [
    'a start after a failure waits its time',
    observed({ startFailure: { count: 1, instanceUid: 'i0', retryAt: later(9) } }),
    expect.objectContaining({ do: 'wait', recheckMs: 9_000 }),
  ],
  [
    "somebody else's instance of the name is left alone",
    observed({ strategy: 'Halted' }, { instance: { ...running, owned: false } }),
    expect.objectContaining({ do: 'wait' }),
  ],
  [
    'an ended instance that is being deleted is released',
    observed({}, { instance: { ...failed, deleting: true } }),
    { do: 'releaseInstance', uid: 'i1' },
  ],
  ['deleting a VM ends its instance first', observed({ deleting: true }, { instance: running }), deletion],
  [
    'deleting a VM waits for the guest to end',
    observed({ deleting: true }, { instance: { ...running, deleting: true } }),
    expect.objectContaining({ do: 'wait' }),
  ],
  ['a deleted VM without instance is released', observed({ deleting: true }), { do: 'release' }],
  [
    'orphaning a VM leaves its instance running',
    observed({ deleting: true, orphaning: true }, { instance: running }),
    { do: 'release' },
  ],
])('%s', (_, given, expected) => {
  expect(planVm(given)).toEqual(expected)
})

describe('requests', () => {
  test.each<[string, ObservedVm, StateChangeRequest[]]>([
    [
      'a start is done when an instance lives',
      observed({ strategy: 'Manual', requests: [start] }, { instance: running }),
      [],
    ],
    [
      'a start stays while a restore holds the VM',
      observed({ strategy: 'Manual', requests: [start], restoring: 'r' }),
      [start],
    ],
    ['a start stays while nothing runs', observed({ strategy: 'Manual', requests: [start] }), [start]],
    [
      'a restart keeps both while the old instance is there',
      observed({ requests: [stop, start] }, { instance: { ...running, deleting: true } }),
      [stop, start],
    ],
    ['a restart keeps its start when the old instance is gone', observed({ requests: [stop, start] }), [start]],
    [
      'a restart is done when the new instance is there',
      observed({ requests: [stop, start] }, { instance: { ...running, uid: 'i2' } }),
      [],
    ],
    [
      'RerunOnFailure queues a start after a failure, once',
      observed({ strategy: 'RerunOnFailure', requests: [start] }, { instance: failed }),
      [start],
    ],
  ])('%s', (_, given, expected) => {
    expect(openRequests(given)).toEqual(expected)
  })
})

describe('failures in a row', () => {
  const after = (count: number, given: Partial<Instance> = {}) =>
    nextStartFailure(
      observed(count === 0 ? {} : { startFailure: { count, instanceUid: 'i0', retryAt: now } }, {
        instance: { ...failed, ...given },
      }),
      0,
    )
  test('the wait grows with the square of the count, up to five minutes', () => {
    expect([0, 1, 2, 9].map((count) => ((after(count)?.retryAt.getTime() ?? 0) - now.getTime()) / 1_000)).toEqual([
      10, 40, 90, 300,
    ])
  })
  test('an instance is counted once', () => {
    expect(after(3, { uid: 'i0' })?.count).toBe(3)
  })
  test('an instance that ran for a minute clears the count', () => {
    expect(after(3, { endedAt: later(60) })).toBeUndefined()
  })
  test('one that somebody deletes is not counted', () => {
    expect(after(0, { deleting: true })).toBeUndefined()
  })
  test('a start that is asked for does not wait', () => {
    const startFailure = { count: 3, instanceUid: 'i0', retryAt: later(99) }
    expect(nextStartFailure(observed({ requests: [start], startFailure }), 0)).toBeUndefined()
  })
})

// A world of one VM: what the API server, the VMI controller and users do to it, and the controller's own passes,
// any of which may die after its status write or before its effect is seen.
class World {
  vm = observed({}).vm
  instance: Instance | undefined
  created = 0
  readonly #lives: Set<string> = new Set()

  /** One pass; `dies` is where the server is killed in it. */
  pass(dies: 'never' | 'before status' | 'after status' | 'after effect'): void {
    const seen: ObservedVm = { now, vm: this.vm, instance: this.instance, dataVolumes: [] }
    const step = planVm(seen)
    if (dies === 'before status') return
    const lastStrategy = this.instance ? this.vm.lastStrategy : this.vm.lastStrategy
    this.vm = { ...this.vm, requests: openRequests(seen), lastStrategy }
    if (dies === 'after status') return
    switch (step.do) {
      case 'hold':
        this.vm = { ...this.vm, held: true }
        return
      case 'release':
        this.vm = { ...this.vm, held: false }
        return
      case 'create':
        expect(this.instance, 'never two instances').toBeUndefined()
        this.created += 1
        this.instance = { ...running, uid: `n${this.created}` }
        this.#lives.add(this.instance.uid)
        this.vm = { ...this.vm, lastStrategy: this.vm.strategy }
        return
      case 'delete':
        if (this.instance?.uid === step.uid) this.instance = { ...this.instance, deleting: true }
        return
      case 'releaseInstance':
        this.instance = undefined
        return
      default:
        return
    }
  }

  /** The VMI controller and the guest: a deleted instance ends. */
  settleInstance(): void {
    if (this.instance?.deleting) this.instance = { ...this.instance, final: true }
  }
}

const deaths = fc.constantFrom('never', 'before status', 'after status', 'after effect') as fc.Arbitrary<
  'never' | 'before status' | 'after status' | 'after effect'
>
const happening = fc.oneof(
  fc.record({ what: fc.constant('pass' as const), dies: deaths }),
  fc.record({ what: fc.constant('settle' as const) }),
  fc.record({ what: fc.constantFrom('powerOff' as const, 'crash' as const, 'userDeletes' as const) }),
  fc.record({ what: fc.constant('strategy' as const), strategy: fc.constantFrom(...runStrategies) }),
  fc.record({ what: fc.constantFrom('askStart' as const, 'askStop' as const, 'askRestart' as const) }),
)

test('whatever happens and wherever the server dies, it converges to one instance or none as the strategy says', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40 }), fc.constantFrom(...runStrategies), (events, last) => {
      const world = new World()
      for (const event of events) {
        const { instance } = world
        if (event.what === 'pass') world.pass(event.dies)
        else if (event.what === 'settle') world.settleInstance()
        else if (event.what === 'strategy') world.vm = { ...world.vm, strategy: event.strategy }
        else if (event.what === 'askStart') world.vm = { ...world.vm, requests: [start] }
        else if (!instance) continue
        else if (event.what === 'askStop') world.vm = { ...world.vm, requests: [{ action: 'Stop', uid: instance.uid }] }
        else if (event.what === 'askRestart')
          world.vm = { ...world.vm, requests: [{ action: 'Stop', uid: instance.uid }, start] }
        else if (event.what === 'userDeletes') world.instance = { ...instance, deleting: true }
        else if (!instance.final) world.instance = { ...instance, final: true, failed: event.what === 'crash' }
      }
      world.vm = { ...world.vm, strategy: last }
      for (let i = 0; i < 20; i += 1) {
        world.pass('never')
        world.settleInstance()
      }
      const calm = planVm({ now, vm: world.vm, instance: world.instance, dataVolumes: [] })
      expect(calm.do).toBe('nothing')
      if (last === 'Always') expect(world.instance).toMatchObject({ final: false, deleting: false })
      if (last === 'Halted') expect(world.instance).toBeUndefined()
      // A request that was made is not forgotten while it can still be done.
      if (last === 'Manual' && world.vm.requests.some(({ action }) => action === 'Start'))
        expect(world.instance?.final).toBe(false)
    }),
    { numRuns: 2_000 },
  )
})
