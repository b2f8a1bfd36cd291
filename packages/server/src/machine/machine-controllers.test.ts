import { Event } from '@stillpoint/api/core/event'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { conditionOf, isTrue } from '@stillpoint/api/meta/condition'
import type { StatusError } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GuestAgentError } from '../qemu/guest-agent.ts'
import { HypervisorError } from './hypervisor/hypervisor.ts'
import { eventually, TestSystem } from './testing/system.ts'

let system: TestSystem
const ref = { namespace: 'default', name: 'web' }

beforeEach(async () => {
  system = await TestSystem.start()
})
afterEach(async () => {
  await system.close()
})

const printable = (wanted: string) =>
  eventually(async () => {
    const vm = await system.user.get(VirtualMachine, ref)
    return vm.status?.printableStatus === wanted && vm
  })
const instance = (matches: (vmi: VirtualMachineInstance) => boolean) =>
  eventually(async () => {
    const vmi = await system.user.find(VirtualMachineInstance, ref)
    return vmi !== undefined && matches(vmi) && vmi
  })
const phase = (wanted: string) => instance((vmi) => vmi.status?.phase === wanted)
const gone = () => eventually(async () => (await system.user.find(VirtualMachineInstance, ref)) === undefined)
const eventOf = (reason: string) =>
  eventually(async () => {
    const { items } = await system.user.list(Event, { namespace: 'default' })
    return items.find((event) => event.reason === reason)
  })
const refusal = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'accepted',
    (error: StatusError) => `${error.code} ${error.message}`,
  )

async function runningVm(strategy = 'Always'): Promise<VirtualMachineInstance> {
  await system.claim('disk')
  await system.vm('web', strategy)
  if (strategy === 'Manual') await system.act('virtualmachines', 'web', 'start')
  return phase('Running')
}

async function withAgent(): Promise<void> {
  system.machine().agent.setAnswering(true)
  await instance((vmi) => isTrue(vmi.status?.conditions, 'AgentConnected'))
}

describe('a virtual machine', () => {
  test('with runStrategy Always gets a running instance on its published disk', async () => {
    await runningVm()
    const vm = await printable('Running')
    expect(vm.status).toMatchObject({ created: true, ready: true, runStrategy: 'Always' })
    const vmi = await phase('Running')
    expect(vmi.status).toMatchObject({
      nodeName: 'node-1',
      virtualMachineRevisionName: `revision-start-vm-${vm.metadata.uid}-1`,
      phaseTransitionTimestamps: ['Pending', 'Scheduling', 'Scheduled', 'Running'].map((entered) => ({
        phase: entered,
      })),
      volumeStatus: [{ name: 'root', target: 'vda', phase: 'Ready' }],
    })
    expect(isTrue(vmi.status?.conditions, 'SoftwareEmulation')).toBe(true)
    expect(system.driverCalls).toEqual(['publish disk'])
    expect(system.hypervisor.launched[0]?.disks).toMatchObject([{ name: 'root', bus: 'virtio', serial: 'root' }])
  })

  test('is started and stopped by the actions, and gives its disk back', async () => {
    await system.claim('disk')
    await system.vm('web', 'Halted')
    await printable('Stopped')
    await system.act('virtualmachines', 'web', 'start', {})
    const first = await phase('Running')
    expect(await refusal(system.act('virtualmachines', 'web', 'start', {}))).toMatch(/^409 .*VM is already running$/)
    await system.act('virtualmachines', 'web', 'stop', {})
    await gone()
    const stopped = await printable('Stopped')
    expect(stopped.spec.runStrategy).toBe('Halted')
    expect(conditionOf(stopped.status?.conditions, 'Ready')?.reason).toBe('VMINotExists')
    expect(conditionOf(stopped.status?.conditions, 'SoftwareEmulation')).toBeUndefined()
    expect(system.driverCalls).toEqual(['publish disk', 'unpublish disk'])
    expect(await refusal(system.act('virtualmachines', 'web', 'stop', {}))).toMatch(/^409 .*VM is not running$/)
    await system.act('virtualmachines', 'web', 'start', {})
    expect((await phase('Running')).metadata.uid).not.toBe(first.metadata.uid)
  })

  test('with runStrategy Manual starts, restarts and stops on request only', async () => {
    const first = await runningVm('Manual')
    await system.act('virtualmachines', 'web', 'restart', {})
    const second = await instance((vmi) => vmi.metadata.uid !== first.metadata.uid && vmi.status?.phase === 'Running')
    await eventually(async () => {
      const vm = await system.user.get(VirtualMachine, ref)
      return (vm.status?.stateChangeRequests ?? []).length === 0
    })
    await system.act('virtualmachines', 'web', 'stop', {})
    await gone()
    expect((await printable('Stopped')).spec.runStrategy).toBe('Manual')
    expect(second.metadata.uid).not.toBe(first.metadata.uid)
  })

  test('with runStrategy Always comes up again when the guest powers off', async () => {
    const first = await runningVm()
    await system.machine().powerButton()
    await instance((vmi) => vmi.metadata.uid !== first.metadata.uid && vmi.status?.phase === 'Running')
  })

  test('waits longer and longer before it starts a guest that crashes', async () => {
    await runningVm()
    system.machine().set({ kind: 'ended', cause: 'GuestPanicked', message: 'the guest panicked' })
    const vm = await printable('CrashLoopBackOff')
    expect(vm.status?.startFailure?.consecutiveFailCount).toBe(1)
    await eventOf('GuestPanicked')
    await eventOf('StartFailure')
  })

  test('says which claim is missing, and starts when it is there', async () => {
    await system.vm('web', 'Always')
    await printable('ErrorPvcNotFound')
    const vmi = await phase('Pending')
    expect(conditionOf(vmi.status?.conditions, 'Synchronized')).toMatchObject({
      status: 'False',
      reason: 'FailedPvcNotFound',
      message: 'PVC disk of volume root does not exist',
    })
    await eventOf('FailedPvcNotFound')
    await system.claim('disk')
    const running = await phase('Running')
    expect(conditionOf(running.status?.conditions, 'Synchronized')).toBeUndefined()
  })

  test('says what a person has to install when the hypervisor is missing', async () => {
    system.hypervisor.launchError = new HypervisorError('HypervisorNotFound', 'apt-get install qemu-system-x86')
    await system.claim('disk')
    await system.vm('web', 'Always')
    const vmi = await instance(({ status }) => conditionOf(status?.conditions, 'Synchronized') !== undefined)
    expect(conditionOf(vmi.status?.conditions, 'Synchronized')).toMatchObject({
      reason: 'HypervisorNotFound',
      message: 'apt-get install qemu-system-x86',
    })
    await eventOf('SyncFailed')
    system.hypervisor.launchError = undefined
    await phase('Running')
  })

  test('is not started while a restore holds it', async () => {
    await runningVm()
    const vm = await system.user.get(VirtualMachine, ref)
    await system.client.patch(VirtualMachine, ref, { status: { restoreInProgress: 'r' } }, { subresource: 'status' })
    await system.machine().powerButton()
    await gone()
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(await system.user.find(VirtualMachineInstance, ref)).toBeUndefined()
    await system.client.patch(VirtualMachine, ref, { status: { restoreInProgress: null } }, { subresource: 'status' })
    await phase('Running')
    expect(vm.metadata.uid).toBeDefined()
  })

  test('makes data volumes of its templates and waits for them', async () => {
    await system.claim('disk')
    await system.user.create(
      VirtualMachine,
      objectOf(VirtualMachine, ref, {
        spec: {
          runStrategy: 'Always',
          dataVolumeTemplates: [{ metadata: { name: 'disk' }, spec: { source: { blank: {} }, storage: {} } }],
          template: {
            spec: {
              domain: { memory: { guest: '64Mi' }, devices: { disks: [{ name: 'root', disk: { bus: 'virtio' } }] } },
              volumes: [{ name: 'root', dataVolume: { name: 'disk' } }],
            },
          },
        },
      }),
    )
    const dataVolume = await eventually(() => system.user.find(DataVolume, { namespace: 'default', name: 'disk' }))
    expect(dataVolume.metadata.annotations).toMatchObject({ 'cdi.kubevirt.io/allowClaimAdoption': 'true' })
    await printable('Provisioning')
    expect(await system.user.find(VirtualMachineInstance, ref)).toBeUndefined()
    await system.client.patch(
      DataVolume,
      { namespace: 'default', name: 'disk' },
      { status: { phase: 'Succeeded' } },
      { subresource: 'status' },
    )
    await phase('Running')
  })

  test('is deleted only after its guest has ended', async () => {
    await runningVm()
    const machine = system.machine()
    await system.user.delete(VirtualMachine, ref)
    await gone()
    await eventually(async () => (await system.user.find(VirtualMachine, ref)) === undefined)
    expect(machine.shutdownsAsked).toBe(1)
    expect(system.driverCalls).toEqual(['publish disk', 'unpublish disk'])
    expect(system.hypervisor.machines.size).toBe(0)
  })

  test('that does not obey is killed, at once when the grace period is zero', async () => {
    await runningVm()
    const machine = system.machine()
    machine.obeys = false
    await system.act('virtualmachines', 'web', 'stop', { gracePeriod: 0 })
    await gone()
    expect(machine.ends[0]).toBe('Quit')
  })

  test('shows that a change needs a restart', async () => {
    await runningVm()
    await system.user.patch(VirtualMachine, ref, {
      spec: { template: { spec: { domain: { memory: { guest: '512Mi' } } } } },
    })
    await eventually(async () => {
      const vm = await system.user.get(VirtualMachine, ref)
      return isTrue(vm.status?.conditions, 'RestartRequired')
    })
  })
})

describe('the next server', () => {
  test('finds the guests of the last one running', async () => {
    const before = await runningVm()
    await system.stopControllers()
    await system.startControllers()
    await new Promise((resolve) => setTimeout(resolve, 300))
    const after = await phase('Running')
    expect(after.metadata.uid).toBe(before.metadata.uid)
    expect(system.hypervisor.launched).toHaveLength(1)
  })

  test('sees an end that nobody watched', async () => {
    const before = await runningVm('Manual')
    await system.stopControllers()
    system.machine().state = { kind: 'ended', cause: 'HostRebooted', message: 'this computer was restarted' }
    await system.startControllers()
    const failed = await phase('Failed')
    expect(failed.metadata.uid).toBe(before.metadata.uid)
    expect(failed.status?.reason).toContain('HostRebooted')
  })

  test('thaws at once what the last one left frozen', async () => {
    await runningVm()
    await withAgent()
    await system.act('virtualmachineinstances', 'web', 'freeze', { unfreezeTimeout: '30s' })
    await system.stopControllers()
    expect(system.machine().agent.frozen).toBe(true)
    await system.startControllers()
    await eventually(async () => !system.machine().agent.frozen)
    await instance((vmi) => vmi.status?.fsFreezeStatus === undefined)
  })

  test('ends a guest whose instance was forced away meanwhile', async () => {
    const vmi = await runningVm('Manual')
    await system.stopControllers()
    await system.user.delete(VirtualMachineInstance, ref)
    await system.client.patch(VirtualMachineInstance, ref, { metadata: { finalizers: null } })
    expect(system.hypervisor.get(vmi.metadata.uid ?? '')).toBeDefined()
    await system.startControllers()
    await eventually(async () => system.hypervisor.machines.size === 0)
    expect(system.driverCalls).toEqual(['publish disk', 'unpublish disk'])
  })
})

describe('freeze', () => {
  const freeze = (unfreezeTimeout?: string, holder?: unknown) =>
    system.act('virtualmachineinstances', 'web', 'freeze', {
      ...(unfreezeTimeout === undefined ? {} : { unfreezeTimeout }),
      ...(holder === undefined ? {} : { holder }),
    })
  const unfreeze = (holder?: unknown) =>
    system.act('virtualmachineinstances', 'web', 'unfreeze', holder === undefined ? undefined : { holder })

  test('freezes, shows it, and thaws once', async () => {
    await runningVm()
    await withAgent()
    const { agent } = system.machine()
    await freeze('30s')
    expect(agent.frozen).toBe(true)
    await instance((vmi) => vmi.status?.fsFreezeStatus === 'frozen')
    await freeze('30s')
    expect(agent.freezes).toBe(1)
    await unfreeze()
    await unfreeze()
    expect(agent.thaws).toBe(1)
    await instance((vmi) => vmi.status?.fsFreezeStatus === undefined)
    expect((await eventOf('Frozen')).message).toMatch(/^Froze 3 file systems of the guest in \d+ ms$/)
    expect((await eventOf('Thawed')).message).toMatch(/^Thawed 3 file systems; the guest was frozen for \d+ ms$/)
  })

  test('ends by itself when nobody thaws', async () => {
    await runningVm()
    await withAgent()
    await freeze('1s')
    await eventually(async () => !system.machine().agent.frozen)
    expect((await eventOf('Thawed')).message).toContain('nobody thawed it within 1 s')
  })

  test('fails with the reason when there is no agent, and says so by event', async () => {
    await runningVm()
    expect(await refusal(freeze('30s'))).toBe(
      '500 Internal error occurred: server error. command Freeze failed: "guest-fsfreeze-freeze: no guest agent answers; install qemu-guest-agent in the guest"',
    )
    await eventOf('FreezeError')
  })

  test("passes the guest's refusal on and leaves no lease", async () => {
    await runningVm()
    await withAgent()
    const { agent } = system.machine()
    agent.freezeError = new GuestAgentError(
      'guest-fsfreeze-freeze',
      'GenericError',
      'fsfreeze hook has failed with status 1',
    )
    expect(await refusal(freeze('30s'))).toContain('fsfreeze hook has failed with status 1')
    agent.freezeError = undefined
    await freeze('30s')
    expect(agent.frozen).toBe(true)
  })

  test('a thaw that fails is tried again until it works', async () => {
    await runningVm()
    await withAgent()
    const { agent } = system.machine()
    await freeze('30s')
    agent.thawError = new GuestAgentError('guest-fsfreeze-thaw', 'GenericError', 'no')
    expect(await refusal(unfreeze())).toContain('command Unfreeze failed')
    agent.thawError = undefined
    await unfreeze()
    expect(agent.frozen).toBe(false)
  })

  test('a guest is thawed before it is asked to end', async () => {
    await runningVm()
    await withAgent()
    const { agent } = system.machine()
    await freeze('30s')
    await system.act('virtualmachines', 'web', 'stop', {})
    await gone()
    expect(agent.thaws).toBe(1)
  })

  test.each([
    ['without a timeout', undefined, 'Unfreeze timeout in freeze request is not set'],
    ['with nonsense for a timeout', 'soon', 'failed to unmarshal unfreeze timeout'],
  ])('is refused %s', async (_, timeout, text) => {
    await runningVm()
    await withAgent()
    expect(await refusal(freeze(timeout))).toBe(`500 Internal error occurred: ${text}`)
  })

  test('of a holder is its own until the lease ends, and the refusal says so', async () => {
    await runningVm()
    await withAgent()
    await freeze('2s', 'backup-1')
    const busy = /^409 .*"web": guest is frozen by backup-1 for at most 2 s more; /
    expect(await refusal(freeze('30s', 'snapshot-1'))).toMatch(busy)
    expect(await refusal(freeze('30s'))).toMatch(/; try again then$/)
    expect(await refusal(unfreeze('snapshot-1'))).toMatch(busy)
    expect(await refusal(unfreeze())).toMatch(/; it is thawed by itself when that time is over$/)
    expect(system.machine().agent).toMatchObject({ freezes: 1, thaws: 0 })
    await instance((vmi) => vmi.status?.fsFreezeStatus === 'frozen')
    await eventually(async () => !system.machine().agent.frozen)
    await freeze('30s', 'snapshot-1')
    await unfreeze('snapshot-1')
    await instance((vmi) => vmi.status?.fsFreezeStatus === undefined)
  })

  test.each([
    ['that is no text', 7],
    ['that is empty', ''],
    ['that is too long', 'x'.repeat(254)],
    ['with a line break', 'a\nb'],
  ])('is refused with a holder %s', async (_, holder) => {
    await runningVm()
    await withAgent()
    const text =
      '400 holder: must be a string of 1 to 253 printable ASCII characters; leave it out to freeze without a holder'
    expect(await refusal(freeze('30s', holder))).toBe(text)
    expect(await refusal(unfreeze(holder))).toBe(text)
  })

  test('is refused for a VM that does not run', async () => {
    await system.vm('web', 'Halted')
    expect(await refusal(freeze('1s'))).toMatch(/^404 /)
  })
})

describe('the lock of a restore', () => {
  const lock = (restoreInProgress: string | null) =>
    system.client.patch(VirtualMachine, ref, { status: { restoreInProgress } }, { subresource: 'status' })
  const act = (action: string, body: object = {}) => system.act('virtualmachines', 'web', action, body)

  test.each([
    ['Halted', 'start', {}, 'Cannot update VM runStrategy until restore "r" completes'],
    ['Halted', 'start', { paused: true }, 'Cannot update VM runStrategy until restore "r" completes'],
    ['Halted', 'start', { dryRun: ['All'] }, 'Cannot update VM runStrategy until restore "r" completes'],
    ['Manual', 'start', {}, 'Cannot start VM until restore "r" completes'],
    ['Manual', 'start', { paused: true }, 'Cannot start VM until restore "r" completes'],
    ['Manual', 'start', { dryRun: ['All'] }, 'Cannot start VM until restore "r" completes'],
  ])('refuses %s %s %j and leaves nothing of it', async (strategy, action, body, text) => {
    await system.claim('disk')
    await system.vm('web', strategy)
    await printable('Stopped')
    await lock('r')
    const before = await system.user.get(VirtualMachine, ref)
    expect(await refusal(act(action, body))).toBe(
      `409 Operation cannot be fulfilled on virtualmachines.kubevirt.io "web": ${text}`,
    )
    const after = await system.user.get(VirtualMachine, ref)
    expect(after.spec).toEqual(before.spec)
    expect(after.status?.stateChangeRequests ?? []).toEqual([])
    await lock(null)
    await act('start', body)
  })

  test('refuses a restart, which would be a start', async () => {
    await runningVm('Manual')
    await lock('r')
    expect(await refusal(act('restart'))).toContain('Cannot start VM until restore "r" completes')
    await act('stop')
    await gone()
  })

  test.each(['Always', 'RerunOnFailure'])('holds %s between two instances, and says so once', async (strategy) => {
    const first = await runningVm(strategy)
    await lock('r')
    const cause = strategy === 'Always' ? 'GuestShutdown' : 'GuestPanicked'
    system.machine().set({ kind: 'ended', cause, message: 'it is over' })
    await gone()
    const why = 'restore "r" is in progress'
    await eventually(async () => {
      const vm = await system.user.get(VirtualMachine, ref)
      return conditionOf(vm.status?.conditions, 'Ready')?.message === `VMI does not exist: ${why}`
    })
    expect((await eventOf('RestoreInProgress')).message).toBe(`Not started yet: ${why}`)
    // Each of these is looked at, and none is a reason to start or to tell it again.
    for (const label of ['a', 'b', 'c'])
      await system.user.patch(VirtualMachine, ref, { metadata: { labels: { label } } })
    expect(await system.user.find(VirtualMachineInstance, ref)).toBeUndefined()
    await lock(null)
    if (strategy === 'RerunOnFailure') return
    await instance((vmi) => vmi.metadata.uid !== first.metadata.uid && vmi.status?.phase === 'Running')
    const told = (await system.user.list(Event, { namespace: 'default' })).items.filter(
      ({ reason }) => reason === 'RestoreInProgress',
    )
    expect(told.map(({ count }) => count ?? 1)).toEqual([1])
  })

  test('does not lose a start that was asked for before', async () => {
    await system.vm('web', 'Manual')
    await printable('Stopped')
    // As when both are written at the same time.
    await system.client.patch(
      VirtualMachine,
      ref,
      { status: { restoreInProgress: 'r', stateChangeRequests: [{ action: 'Start' }] } },
      { subresource: 'status' },
    )
    await eventOf('RestoreInProgress')
    await system.claim('disk')
    await lock(null)
    await phase('Running')
  })
})

describe('while a holder has the guest frozen', () => {
  const busy = /^409 .*"web": guest is frozen by snapshot-1 for at most \d+ s more; try again then$/
  const freeze = () =>
    system.act('virtualmachineinstances', 'web', 'freeze', { unfreezeTimeout: '30s', holder: 'snapshot-1' })
  const thaw = () => system.act('virtualmachineinstances', 'web', 'unfreeze', { holder: 'snapshot-1' })

  test.each([
    ['virtualmachines', 'stop', {}],
    ['virtualmachines', 'stop', { gracePeriod: 20 }],
    ['virtualmachines', 'restart', {}],
    ['virtualmachines', 'stop', { dryRun: ['All'] }],
    ['virtualmachineinstances', 'reset', {}],
    ['virtualmachineinstances', 'softreboot', {}],
  ] as const)('%s/%s %j is refused, and accepted afterwards', async (kind, action, body) => {
    await runningVm('Manual')
    await withAgent()
    await freeze()
    expect(await refusal(system.act(kind, 'web', action, body))).toMatch(busy)
    const vm = await system.user.get(VirtualMachine, ref)
    expect(vm.status?.stateChangeRequests ?? []).toEqual([])
    expect(system.machine().agent).toMatchObject({ frozen: true, thaws: 0 })
    await thaw()
    await system.act(kind, 'web', action, body)
  })

  test.each([
    ['virtualmachines', 'stop', { gracePeriod: 0 }],
    ['virtualmachines', 'restart', { gracePeriodSeconds: 0 }],
  ] as const)('%s/%s %j is forced all the same', async (kind, action, body) => {
    const { metadata } = await runningVm('Manual')
    await withAgent()
    await freeze()
    const { agent } = system.machine()
    await system.act(kind, 'web', action, body)
    await eventually(async () => (await system.user.find(VirtualMachineInstance, ref))?.metadata.uid !== metadata.uid)
    expect(agent.thaws).toBe(0)
  })

  test('pause waits for the thaw', async () => {
    await runningVm()
    await withAgent()
    await freeze()
    const pausing = system.act('virtualmachineinstances', 'web', 'pause', {})
    // A request that is made after it and answered before it.
    expect(await refusal(freeze())).toBe('accepted')
    expect(system.machine().state.kind).toBe('running')
    await thaw()
    await pausing
    expect(system.machine()).toMatchObject({ state: { kind: 'paused' }, agent: { frozen: false, thaws: 1 } })
  })

  test.each([
    ['the VM', VirtualMachine],
    ['its instance', VirtualMachineInstance],
  ])('deleting %s lets it finish', async (_, definition) => {
    await runningVm('Manual')
    await withAgent()
    await freeze()
    const machine = system.machine()
    await system.user.delete(definition, ref)
    await instance(({ metadata }) => metadata.deletionTimestamp !== undefined)
    await instance(({ status }) => conditionOf(status?.conditions, 'Ready')?.reason === 'PodTerminating')
    expect(machine).toMatchObject({ shutdownsAsked: 0, agent: { frozen: true } })
    await thaw()
    await gone()
    expect(machine).toMatchObject({ shutdownsAsked: 1, agent: { thaws: 1 } })
  })

  test('one that was paused and is to end runs and is thawed first', async () => {
    await runningVm('Manual')
    await withAgent()
    await freeze()
    const machine = system.machine()
    machine.set({ kind: 'paused', cause: 'requested' })
    await system.user.delete(VirtualMachineInstance, ref)
    await system.client.patch(VirtualMachineInstance, ref, { spec: { terminationGracePeriodSeconds: 2 } })
    await gone()
    expect(machine).toMatchObject({ shutdownsAsked: 1, agent: { frozen: false, thaws: 1 } })
  })
})

describe('a running guest', () => {
  test('is paused and unpaused', async () => {
    await runningVm()
    const act = (action: string) => system.act('virtualmachineinstances', 'web', action, {})
    await act('pause')
    const paused = await instance((vmi) => isTrue(vmi.status?.conditions, 'Paused'))
    expect(conditionOf(paused.status?.conditions, 'Paused')?.reason).toBe('PausedByUser')
    await printable('Paused')
    expect(await refusal(act('pause'))).toMatch(/^409 .*VMI is already paused$/)
    await act('unpause')
    await printable('Running')
    expect(await refusal(act('unpause'))).toMatch(/^409 .*VMI is not paused$/)
  })

  test('is not unpaused while a snapshot is taken', async () => {
    await runningVm()
    await system.act('virtualmachineinstances', 'web', 'pause', {})
    await system.client.patch(VirtualMachine, ref, { status: { snapshotInProgress: 's' } }, { subresource: 'status' })
    await printable('Paused')
    expect(
      await eventually(async () => {
        const text = await refusal(system.act('virtualmachineinstances', 'web', 'unpause', {}))
        return text.includes('409') && text
      }),
    ).toContain('VM snapshot is in progress')
  })

  test('that is frozen and paused may be unpaused to be thawed, also while a snapshot is taken', async () => {
    await runningVm()
    await withAgent()
    const machine = system.machine()
    await system.act('virtualmachineinstances', 'web', 'freeze', { unfreezeTimeout: '30s', holder: 's' })
    machine.set({ kind: 'paused', cause: 'io-error' })
    await system.client.patch(VirtualMachine, ref, { status: { snapshotInProgress: 's' } }, { subresource: 'status' })
    await system.act('virtualmachineinstances', 'web', 'unpause', {})
    await system.act('virtualmachineinstances', 'web', 'unfreeze', { holder: 's' })
    expect(machine).toMatchObject({ state: { kind: 'running' }, agent: { frozen: false } })
  })

  test('that waits for room on the disk is paused with that reason', async () => {
    await runningVm()
    system
      .machine()
      .set(
        { kind: 'paused', cause: 'io-error' },
        { event: { type: 'Warning', reason: 'IOerror', message: 'write on d-root failed' } },
      )
    const vmi = await instance(({ status }) => isTrue(status?.conditions, 'Paused'))
    expect(conditionOf(vmi.status?.conditions, 'Paused')?.reason).toBe('PausedIOError')
    await eventOf('IOerror')
  })

  test('tells through its agent what it is', async () => {
    await runningVm()
    await withAgent()
    const vmi = await instance(({ status }) => status?.guestOSInfo !== undefined)
    expect(vmi.status?.guestOSInfo).toMatchObject({ id: 'debian', versionId: '12' })
    expect(vmi.status?.interfaces).toHaveLength(2)
    const call = { group: 'subresources.kubevirt.io', version: 'v1', ...ref, resource: 'virtualmachineinstances' }
    const info = await system.user.call({ ...call, subresource: 'guestosinfo' }, { method: 'GET' })
    expect(info).toMatchObject({ guestAgentVersion: '7.2.0', hostname: 'guest', timezone: 'UTC, 0' })
    system.machine().agent.setAnswering(false)
    await instance(({ status }) => conditionOf(status?.conditions, 'AgentConnected') === undefined)
    expect(await refusal(system.user.call({ ...call, subresource: 'userlist' }, { method: 'GET' }))).toMatch(
      /^409 .*VMI does not have guest agent connected$/,
    )
  })

  test('whose agent talks nonsense has none, and that is told', async () => {
    await runningVm()
    const { agent } = system.machine()
    agent.infoError = new GuestAgentError('guest-info', 'Garbage', 'the guest sent a line that is no JSON')
    agent.setAnswering(true)
    expect((await eventOf('AgentNotUsable')).message).toContain('the guest sent a line that is no JSON')
    await instance(({ status }) => conditionOf(status?.conditions, 'AgentConnected') === undefined)
    expect((await phase('Running')).status?.phase).toBe('Running')
  })

  test('may be started with its CPUs stopped', async () => {
    await system.claim('disk')
    await system.vm('web', 'Manual')
    await printable('Stopped')
    await system.act('virtualmachines', 'web', 'start', { paused: true })
    await printable('Paused')
    expect(system.machine().state.kind).toBe('prelaunch')
    await system.act('virtualmachineinstances', 'web', 'unpause', {})
    await printable('Running')
  })

  test('has a spec that users cannot change', async () => {
    await runningVm()
    const patch = system.user.patch(VirtualMachineInstance, ref, { spec: { terminationGracePeriodSeconds: 1 } })
    expect(await refusal(patch)).toContain('update of VMI object is restricted')
  })

  test('is stopped with all others, and none comes back', async () => {
    await runningVm()
    await system.controllers.stopAll()
    expect(system.machine()?.state.kind ?? 'ended').toBe('ended')
  })
})
