import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Event } from '@stillpoint/api/core/event'
import { Namespace } from '@stillpoint/api/core/namespace'
import { kinds } from '@stillpoint/api/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Pod, PodUsage } from './pod-usage.ts'
import { type Bench, startBench } from './testing/bench.ts'

const namespace = 'default'
let bench: Bench

beforeAll(async () => {
  bench = await startBench({ resources: [...new Set([...kinds, Namespace, Event, ControllerRevision, Pod])] })
  for (const [name, phase, claimName] of [
    ['running', 'Running', 'disk'],
    ['new', undefined, 'disk'],
    ['failed', 'Failed', 'disk'],
    ['succeeded', 'Succeeded', 'disk'],
    ['of-another-disk', 'Running', 'other'],
    ['of-none', 'Running', undefined],
  ] as const) {
    const claim = claimName === undefined ? {} : { persistentVolumeClaim: { claimName } }
    await bench.client.create(Pod, objectOf(Pod, { name, namespace }, { spec: { volumes: [{ name: 'v', ...claim }] } }))
    if (phase !== undefined)
      await bench.client.patch(Pod, { namespace, name }, { status: { phase } }, { subresource: 'status' })
  }
})
afterAll(() => bench.close())

test.each([
  ['pods in every phase but Succeeded', ['disk'], 3],
  ['those of one of several claims', ['disk', 'other'], 4],
  ['none of a claim nobody uses', ['free'], 0],
  ['none without a claim', [], 0],
])('c.4-6 counts %s', async (_, claims, expected) =>
  expect(await new PodUsage(bench.client).count(namespace, new Set(claims))).toBe(expected),
)

test('c.4-6 counts none of another namespace', async () =>
  expect(await new PodUsage(bench.client).count('elsewhere', new Set(['disk']))).toBe(0))
