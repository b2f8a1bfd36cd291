import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { Condition } from '@stillpoint/api/meta/condition'
import { describe, expect, test } from 'vitest'
import { now, restore, secondsAgo, snapshot, vm } from './testing/objects.ts'
import { guestAgentOf, vmStatus, vmWork } from './vm-status.ts'

type Status = NonNullable<VirtualMachine['status']>
const condition = (type: string, status: Condition['status'], message?: string): Condition => ({
  type,
  status,
  ...(message === undefined ? {} : { message }),
})
const withStatus = (printableStatus: string, more: Partial<Status> = {}) => vm({ status: { printableStatus, ...more } })

describe('the status', () => {
  const cases: Record<string, [VirtualMachine, ReturnType<typeof vmStatus>]> = {
    running: [withStatus('Running'), { label: 'Running', tone: 'success', running: false }],
    'without a word': [
      { ...vm(), status: undefined },
      { label: 'Stopped', tone: 'neutral', running: false },
    ],
    'on its way': [
      withStatus('Provisioning', { conditions: [condition('Synchronized', 'False', 'the disks are not ready')] }),
      { label: 'Provisioning', tone: 'info', running: true, detail: 'the disks are not ready' },
    ],
    failing: [
      withStatus('CrashLoopBackOff', { startFailure: { consecutiveFailCount: 3 } }),
      { label: 'CrashLoopBackOff', tone: 'danger', running: false, detail: '3 failed starts in a row' },
    ],
    paused: [
      withStatus('Paused', { conditions: [condition('Paused', 'True', 'low-level IO error')] }),
      { label: 'Paused', tone: 'warning', running: false, detail: 'low-level IO error' },
    ],
    'being deleted': [
      vm({ metadata: { deletionTimestamp: secondsAgo(3) } }),
      { label: 'Terminating', tone: 'info', running: true },
    ],
    'a word of tomorrow': [withStatus('Levitating'), { label: 'Levitating', tone: 'info', running: true }],
  }
  test.each(Object.entries(cases))('%s', (_, [given, expected]) => expect(vmStatus(given)).toEqual(expected))
})

describe('the guest agent', () => {
  const agent = condition('AgentConnected', 'True')
  const cases: Record<string, [VirtualMachine, string]> = {
    answers: [withStatus('Running', { created: true, conditions: [agent] }), 'connected'],
    'does not know enough': [
      withStatus('Running', { conditions: [agent, condition('AgentVersionNotSupported', 'True')] }),
      'unsupported',
    ],
    'is not there': [withStatus('Running', { created: true }), 'absent'],
    'cannot be there': [withStatus('Stopped', { created: false }), 'off'],
  }
  test.each(Object.entries(cases))('%s', (_, [given, expected]) => expect(guestAgentOf(given)).toBe(expected))
})

describe('what holds it', () => {
  test('nothing', () => expect(vmWork(vm(), [], [], now)).toBeUndefined())
  test('a snapshot, and what that waits for', () => {
    const taking = snapshot({ status: { phase: 'InProgress', error: { message: 'the disk is busy' } } })
    expect(vmWork(withStatus('Running', { snapshotInProgress: 'snap' }), [taking], [], now)).toEqual({
      kind: 'snapshot',
      name: 'snap',
      text: 'Taking snapshot snap: the disk is busy',
      tone: 'warning',
    })
  })
  test('a snapshot that cannot be seen', () =>
    expect(vmWork(withStatus('Running', { snapshotInProgress: 'snap' }), [], [], now)?.text).toBe(
      'Taking snapshot snap',
    ))
  test('a restore comes first', () => {
    const status = { restoreInProgress: 'back', snapshotInProgress: 'snap' }
    const stopping = restore({
      status: { conditions: [{ type: 'Progressing', status: 'True', reason: 'Creating new PVCs' }] },
    })
    expect(vmWork(withStatus('Stopped', status), [], [stopping], now)?.text).toBe(
      'Restoring from snap: Making the disks',
    )
  })
})
