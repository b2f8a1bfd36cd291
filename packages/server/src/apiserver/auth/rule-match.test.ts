import type { PolicyRule } from '@stillpoint/api/core/rbac'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Attributes } from './attributes.ts'
import { missingRules } from './rule-cover.ts'
import { ruleAllows } from './rule-match.ts'

const getPods = { verb: 'get', group: '', resource: 'pods', namespace: 'ns', name: 'a' }
const podReader: PolicyRule = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }

const cases: Record<string, [rule: PolicyRule, asked: Attributes, allowed: boolean]> = {
  'names verb, group and resource': [podReader, getPods, true],
  'lacks the verb': [podReader, { ...getPods, verb: 'delete' }, false],
  'lacks the group': [podReader, { ...getPods, group: 'apps' }, false],
  'lacks the resource': [podReader, { ...getPods, resource: 'secrets' }, false],
  'has every verb': [{ ...podReader, verbs: ['*'] }, { ...getPods, verb: 'deletecollection' }, true],
  'has every group': [{ ...podReader, apiGroups: ['*'] }, { ...getPods, group: 'apps' }, true],
  'has every resource': [{ ...podReader, resources: ['*'] }, { ...getPods, resource: 'secrets' }, true],
  'has every resource, and so every subresource': [
    { ...podReader, resources: ['*'] },
    { ...getPods, subresource: 'status' },
    true,
  ],
  'has the resource, not its subresource': [podReader, { ...getPods, subresource: 'status' }, false],
  'has the subresource': [{ ...podReader, resources: ['pods/status'] }, { ...getPods, subresource: 'status' }, true],
  'has the subresource, not the resource': [{ ...podReader, resources: ['pods/status'] }, getPods, false],
  'has the subresource of everything': [
    { ...podReader, resources: ['*/status'] },
    { ...getPods, subresource: 'status' },
    true,
  ],
  'has another subresource of everything': [
    { ...podReader, resources: ['*/scale'] },
    { ...getPods, subresource: 'status' },
    false,
  ],
  'has the name': [{ ...podReader, resourceNames: ['a', 'b'] }, getPods, true],
  'has another name': [{ ...podReader, resourceNames: ['b'] }, getPods, false],
  'has a name where none is asked for': [
    { ...podReader, resourceNames: ['a'] },
    { ...getPods, verb: 'list', name: undefined },
    false,
  ],
  'has the path': [{ nonResourceURLs: ['/metrics'], verbs: ['get'] }, { verb: 'get', path: '/metrics' }, true],
  'has what is above the path': [
    { nonResourceURLs: ['/metrics'], verbs: ['get'] },
    { verb: 'get', path: '/metrics/x' },
    false,
  ],
  'has all below the path': [{ nonResourceURLs: ['/api/*'], verbs: ['get'] }, { verb: 'get', path: '/api/v1' }, true],
  'has all paths': [{ nonResourceURLs: ['*'], verbs: ['*'] }, { verb: 'post', path: '/x' }, true],
  'has all resources, which are no paths': [
    { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
    { verb: 'get', path: '/metrics' },
    false,
  ],
  'has all paths, which are no resources': [{ nonResourceURLs: ['*'], verbs: ['*'] }, getPods, false],
  'says nothing': [{}, getPods, false],
}

describe('a rule that', () => {
  test.each(Object.entries(cases))('%s', (_, [rule, asked, allowed]) => {
    expect(ruleAllows(rule, asked)).toBe(allowed)
  })
})

const covered: Record<string, [held: PolicyRule[], wanted: PolicyRule, missing: PolicyRule[]]> = {
  'the same rule': [[podReader], podReader, []],
  less: [[podReader], { ...podReader, resourceNames: ['a'], verbs: ['get'] }, []],
  'two halves': [
    [
      { ...podReader, verbs: ['get'] },
      { ...podReader, verbs: ['list'] },
    ],
    podReader,
    [],
  ],
  everything: [[{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }], podReader, []],
  'one verb less': [
    [{ ...podReader, verbs: ['get'] }],
    podReader,
    [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
  ],
  'one name of all': [
    [{ ...podReader, resourceNames: ['a'] }],
    { ...podReader, verbs: ['get'] },
    [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  ],
  'verbs one by one where all are wanted': [
    [podReader],
    { ...podReader, verbs: ['*'] },
    [{ apiGroups: [''], resources: ['pods'], verbs: ['*'] }],
  ],
  'the subresource of everything': [
    [{ ...podReader, resources: ['*/status'] }],
    { ...podReader, resources: ['pods/status'], verbs: ['get'] },
    [],
  ],
  'paths below': [
    [{ nonResourceURLs: ['/api/*'], verbs: ['get'] }],
    { nonResourceURLs: ['/api/v1/*'], verbs: ['get'] },
    [],
  ],
  'paths elsewhere': [
    [{ nonResourceURLs: ['/api/*'], verbs: ['get'] }],
    { nonResourceURLs: ['/apis'], verbs: ['get'] },
    [{ nonResourceURLs: ['/apis'], verbs: ['get'] }],
  ],
}

describe('against a rule that is wanted, who holds', () => {
  test.each(Object.entries(covered))('%s', (_, [held, wanted, missing]) => {
    expect(missingRules(held, [wanted])).toEqual(missing)
  })
})

const some = (...values: string[]) => fc.subarray(values, { maxLength: Math.min(2, values.length) })
const anyRule = fc.record<PolicyRule>({
  verbs: some('get', 'list', '*'),
  apiGroups: some('', 'apps', '*'),
  resources: some('pods', 'secrets', 'pods/status', '*/status', '*'),
  resourceNames: fc.oneof(some(), some('a', 'b')),
})
const anyAsked = fc.record({
  verb: fc.constantFrom('get', 'list', 'delete'),
  group: fc.constantFrom('', 'apps', 'x'),
  resource: fc.constantFrom('pods', 'secrets', 'events'),
  subresource: fc.constantFrom(undefined, 'status', 'scale'),
  name: fc.constantFrom(undefined, 'a', 'b', 'c'),
})

test('who holds all of a role may do whatever the role allows', () => {
  fc.assert(
    fc.property(
      fc.array(anyRule, { maxLength: 3 }),
      fc.array(anyRule, { maxLength: 2 }),
      anyAsked,
      (held, wanted, asked) => {
        if (missingRules(held, wanted).length > 0 || !wanted.some((rule) => ruleAllows(rule, asked))) return
        expect(held.some((rule) => ruleAllows(rule, asked))).toBe(true)
      },
    ),
    { numRuns: 3_000 },
  )
})
