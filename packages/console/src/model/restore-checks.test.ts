import { expect, test } from 'vitest'
import { type Check, claimInTheWay, type RestoreFacts, restoreChecks, whyNotYet } from './restore-checks.ts'
import { content, restore, snapshot, succeeded, vm } from './testing/objects.ts'

const backup = (volumeName: string, claim: string) => ({
  volumeName,
  volumeSnapshotName: `vmsnapshot-${volumeName}`,
  persistentVolumeClaim: { metadata: { name: claim } },
})
const root = { name: 'root', persistentVolumeClaim: { claimName: 'web-root' } }
const rooted = vm({ spec: { template: { spec: { domain: { devices: {} }, volumes: [root] } } } })
const whole = content({
  spec: { source: {}, volumeBackups: [backup('root', 'web-root')] },
  status: { readyToUse: true },
})
const known = <T>(value: T) => ({ is: 'known', value }) as const
const base: RestoreFacts = {
  snapshot: snapshot(),
  vm: rooted,
  restores: [],
  content: known(whole),
  claims: known(new Set(['web-root', 'other'])),
  mode: 'replace',
  naming: 'InPlace',
  newName: 'web-2',
  newNameProblem: undefined,
  rights: [],
}
const statesOf = (checks: readonly Check[]) => checks.map(({ state }) => state)

test('all is well when nothing is in the way', () => {
  const checks = restoreChecks(base)
  expect(statesOf(checks)).toEqual(['passed', 'passed', 'passed', 'passed', 'passed'])
  expect(whyNotYet(checks)).toBeUndefined()
})

const failing: Record<string, [Partial<RestoreFacts>, string, RegExp]> = {
  'a deleted snapshot': [{ snapshot: undefined }, 'The snapshot can be used', /has been deleted/],
  'a failed snapshot, and only as such': [
    { snapshot: snapshot({ status: { ...succeeded, phase: 'Failed', readyToUse: false } }) },
    'The snapshot can be used',
    /failed/,
  ],
  'a restore at work': [
    { restores: [restore({ metadata: { name: 'other' } })] },
    'Nothing else is at work on web-1',
    /The restore other is in progress/,
  ],
  'a restore at work into the new name': [
    {
      mode: 'new',
      restores: [restore({ spec: { ...restore().spec, target: { kind: 'VirtualMachine', name: 'web-2' } } })],
    },
    'Nothing else is at work on web-2',
    /in progress/,
  ],
  'a snapshot without content': [{ content: known(undefined) }, 'Its data is there', /does not exist/],
  'a content that is not ready, in its own words': [
    { content: known(content({ status: { readyToUse: false, error: { message: 'no space' } } })) },
    'Its data is there',
    /no space/,
  ],
  'a disk without data': [
    {
      content: known(
        content({
          spec: { source: {}, volumeBackups: [{ volumeName: 'data', persistentVolumeClaim: {} }] },
          status: { readyToUse: true },
        }),
      ),
    },
    'Its data is there',
    /disk data/,
  ],
  'TPM state for another VM': [
    {
      mode: 'new',
      content: known({
        ...whole,
        spec: {
          source: {
            virtualMachine: {
              spec: { template: { spec: { domain: { devices: { tpm: { persistent: true } } } } } },
            },
          },
        },
      }),
    },
    'Its data is there',
    /TPM/,
  ],
  'a claim that is not the VM’s own': [{ vm: vm() }, 'The names of its disks are free', /The claim web-root is there/],
  'a claim that outlived its VM': [{ vm: undefined }, 'The names of its disks are free', /web-root/],
  'a name that is no name': [{ mode: 'new', newNameProblem: 'taken' }, 'The name is free', /Correct the name/],
  'a missing right': [{ rights: ['You may not.'] }, 'You may do it', /You may not/],
}
test.each(Object.entries(failing))('it is told: %s', (_, [given, label, detail]) => {
  const checks = restoreChecks({ ...base, ...given })
  expect(checks.filter(({ state }) => state === 'failed')).toEqual([
    { label, state: 'failed', detail: expect.stringMatching(detail) },
  ])
  expect(whyNotYet(checks)).toMatch(detail)
})

const fitting: Record<string, Partial<RestoreFacts>> = {
  'other names than those of claims in the way': { vm: undefined, naming: 'RandomizeNames' },
  'a new VM beside a restore into the old one': { mode: 'new', restores: [restore()] },
  'what may not be seen': {
    content: { is: 'unknown', why: 'You may not see it' },
    claims: { is: 'unknown', why: 'You may not see them' },
  },
}
test.each(Object.entries(fitting))('it can begin with %s', (_, given) =>
  expect(whyNotYet(restoreChecks({ ...base, ...given }))).toBeUndefined(),
)

test('it waits for what is being asked, and tells a failure before', () => {
  const waiting = restoreChecks({ ...base, claims: { is: 'asking' }, content: { is: 'asking' }, rights: 'asking' })
  expect(statesOf(waiting)).toEqual(['passed', 'passed', 'asking', 'asking', 'asking'])
  expect(whyNotYet(waiting)).toMatch(/being checked/)
  expect(whyNotYet(restoreChecks({ ...base, rights: 'asking', snapshot: undefined }))).toMatch(/deleted/)
})

test('a claim in the way is found by what the snapshot knows, as far as that is known', () => {
  expect(claimInTheWay({ content: known(whole), claims: known(new Set(['web-root'])), vm: undefined })).toBe('web-root')
  expect(
    claimInTheWay({ content: { is: 'asking' }, claims: known(new Set(['web-root'])), vm: undefined }),
  ).toBeUndefined()
})
