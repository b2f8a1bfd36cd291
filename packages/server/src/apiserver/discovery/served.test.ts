import { kinds } from '@stillpoint/api/kinds'
import { describe, expect, test } from 'vitest'
import { compareVersions, rootPath, servedGroups } from './served.ts'

test('versions are ordered as Kubernetes orders them', () => {
  const wanted = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10']
  expect(wanted.toReversed().sort(compareVersions)).toEqual(wanted)
})

describe('the groups served', () => {
  const keys = [
    'subresources.kubevirt.io/virtualmachines/start',
    'subresources.kubevirt.io/virtualmachineinstances/freeze',
    '/namespaces/finalize',
    'kubevirt.io/virtualmachines/scale',
    'example.com/unknowns/start',
  ]
  const groups = servedGroups(kinds, keys)

  test('begin with the core group and built-in ones, then go by name', () => {
    const names = groups.map(({ name }) => name)
    expect(names[0]).toBe('')
    const custom = names.filter((name) => name.includes('kubevirt.io') || name.startsWith('snapshot.'))
    expect(names.slice(-custom.length)).toEqual(custom.toSorted())
  })

  test('have the best version first', () => {
    const versions = groups.find(({ name }) => name === 'snapshot.kubevirt.io')?.versions.map(({ version }) => version)
    expect(versions?.[0]).toBe('v1beta1')
  })

  test('include a group of nothing but actions', () => {
    const actions = groups.find(({ name }) => name === 'subresources.kubevirt.io')
    expect(actions?.versions.map(rootPath)).toEqual([
      '/apis/subresources.kubevirt.io/v1',
      '/apis/subresources.kubevirt.io/v1alpha3',
    ])
    expect(actions?.versions[0]?.subresources.map(({ plural, name }) => `${plural}/${name}`)).toEqual([
      'virtualmachineinstances/freeze',
      'virtualmachines/start',
    ])
  })

  test('know the parent of a subresource', () => {
    const core = groups[0]?.versions[0]
    expect(core?.subresources.map(({ name, parent }) => [name, parent?.kind])).toEqual([['finalize', 'Namespace']])
  })

  test('leave out subresources of what is not served', () => {
    expect(groups.some(({ name }) => name === 'example.com')).toBe(false)
  })
})
