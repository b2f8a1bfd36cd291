import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import { expect, test } from 'vitest'
import { type AgentState, agentSentence, agentState } from './agent-state.ts'
import { hoursAgo, snapshot } from './testing/objects.ts'

function instance(phase: string, ...on: string[]): VirtualMachineInstance {
  return {
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name: 'web-1' },
    spec: { domain: { devices: {} } },
    status: { phase, conditions: on.map((type) => ({ type, status: 'True' })) },
  } as VirtualMachineInstance
}
const frozen = (hours: number, frozenMs: number | undefined) =>
  snapshot({
    metadata: {
      annotations: {
        [receiptAnnotation]: JSON.stringify({
          version: 1,
          snapshotUID: 'snap-uid',
          outcome: 'Succeeded',
          requested: 'Preferred',
          guest: 'agent',
          freeze: { asked: hoursAgo(hours), began: hoursAgo(hours), frozenMs },
          volumes: [],
        }),
      },
    },
  })

const cases: Record<string, [VirtualMachineInstance | undefined, Parameters<typeof agentState>[1], AgentState]> = {
  'off without an instance': [undefined, { snapshots: [] }, { kind: 'off' }],
  'off when the instance has ended': [instance('Succeeded', 'AgentConnected'), { snapshots: [] }, { kind: 'off' }],
  'paused, whatever the agent was': [
    instance('Running', 'Paused', 'AgentConnected'),
    { snapshots: [] },
    { kind: 'paused' },
  ],
  'without an agent': [instance('Running', 'Ready'), { snapshots: [] }, { kind: 'absent' }],
  'connected, and no more known': [
    instance('Running', 'AgentConnected'),
    { snapshots: [snapshot(), frozen(1, undefined)] },
    { kind: 'connected' },
  ],
  'connected, with the newest freeze': [
    instance('Running', 'AgentConnected'),
    { fileSystems: 3, snapshots: [frozen(5, 900), frozen(2, 300), frozen(8, 700)] },
    { kind: 'connected', fileSystems: 3, lastFrozenMs: 300 },
  ],
}
test.each(Object.entries(cases))('a guest is %s', (_, [given, known, expected]) =>
  expect(agentState(given, known)).toEqual(expected),
)

test('what is wanted decides how bad it is that no agent answers', () => {
  expect(agentSentence({ kind: 'absent' }, 'Required')).toEqual({
    tone: 'danger',
    text: 'No guest agent is connected: a snapshot that requires a freeze will fail.',
  })
  expect(agentSentence({ kind: 'paused' }, 'Preferred').tone).toBe('warning')
  expect(agentSentence({ kind: 'absent' }, 'CrashConsistent').tone).toBe('info')
})

test('a connected agent is told with what is known of it', () => {
  expect(agentSentence({ kind: 'connected', fileSystems: 3, lastFrozenMs: 300 }, 'Preferred')).toEqual({
    tone: 'success',
    text: 'Guest agent connected, 3 file systems, last freeze 0.3 s.',
  })
  expect(agentSentence({ kind: 'connected', fileSystems: 1 }, 'CrashConsistent').text).toBe(
    'Guest agent connected, 1 file system. It will not be asked to freeze the guest.',
  )
})

test('an unknown or idle guest is no failure', () => {
  expect(agentSentence(undefined, 'Required').tone).toBe('neutral')
  expect(agentSentence({ kind: 'off' }, 'Required').tone).toBe('success')
})
