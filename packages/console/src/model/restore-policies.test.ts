import { expect, test } from 'vitest'
import { restorePolicies } from './restore-policies.ts'
import { restore } from './testing/objects.ts'

const target = { kind: 'VirtualMachine', name: 'web-1' }

test('what was left to the defaults is said as well', () =>
  expect(restorePolicies(restore()).map(({ value }) => value)).toEqual(['WaitGracePeriod', 'RandomizeNames', 'Vm']))

test('policies are said in words', () => {
  const given = restore({
    spec: {
      target,
      virtualMachineSnapshotName: 'snap',
      targetReadinessPolicy: 'StopTarget',
      volumeRestorePolicy: 'InPlace',
      volumeOwnershipPolicy: 'None',
    },
  })
  expect(restorePolicies(given).map(({ text }) => text)).toEqual([
    'It is stopped',
    'They keep the names of their claims, which are replaced',
    'The new claims stay',
  ])
})

test('a policy nobody knows yet is said as it is', () => {
  const spec = { ...restore().spec, volumeRestorePolicy: 'toString' }
  expect(restorePolicies(restore({ spec }))[1]).toMatchObject({ text: 'toString', value: 'toString' })
})
