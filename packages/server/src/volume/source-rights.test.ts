import { kinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isForbidden } from '@stillpoint/api/meta/status-error'
import { describe, expect, test } from 'vitest'
import { startTestServer } from '../apiserver/testing/server.ts'
import { addUsers, tokenOf } from '../apiserver/testing/users.ts'
import { volumeAdmission } from './admission.ts'
import { sourceRights } from './source-rights.ts'

const user = { username: 'vera', groups: [] }
const claim = { pvc: { namespace: 'other', name: 'disk' } }
const local = { pvc: { namespace: 'team', name: 'disk' } }
const templates = (source: object) => ({ dataVolumeTemplates: [{ metadata: { name: 'd' }, spec: { source } }] })
const patch = (value: object) => ({ patches: [JSON.stringify(value)] })
const path = '/spec/dataVolumeTemplates/0/spec/source'
const ref = { kind: 'PersistentVolumeClaim', name: 'disk', namespace: 'other' }

const cases: Record<string, [resource: string, spec: object, asked: (string | undefined)[]]> = {
  'a claim from elsewhere': ['persistentvolumeclaims', { dataSourceRef: ref }, ['other']],
  'a claim from here': ['persistentvolumeclaims', { dataSourceRef: { ...ref, namespace: 'team' } }, []],
  'a claim whose older field names a namespace': ['persistentvolumeclaims', { dataSource: ref }, ['other']],
  'a DataVolume from a claim elsewhere': ['datavolumes', { source: claim }, ['other']],
  'a DataVolume from a snapshot elsewhere': ['datavolumes', { source: { snapshot: claim.pvc } }, ['other']],
  'a DataVolume from here': ['datavolumes', { source: local }, []],
  'a DataVolume by reference': ['datavolumes', { sourceRef: { kind: 'DataSource', ...claim.pvc } }, ['other']],
  'a DataVolume whose claim names a source': ['datavolumes', { storage: { dataSourceRef: ref } }, ['other']],
  'a VM with a template': ['virtualmachines', templates(claim), ['other']],
  'a VM with a template from here': ['virtualmachines', templates(local), []],
  'content with a template': [
    'virtualmachinesnapshotcontents',
    { source: { virtualMachine: { spec: templates(claim) } } },
    ['other'],
  ],
  'content of another shape': [
    'virtualmachinesnapshotcontents',
    { source: { virtualMachine: { spec: { dataVolumeTemplates: 'none' } } } },
    [],
  ],
  'a restore that patches a template': [
    'virtualmachinerestores',
    patch({ op: 'replace', path, value: claim }),
    ['other'],
  ],
  'a restore that patches the namespace': [
    'virtualmachinerestores',
    patch({ op: 'add', path: `${path}/pvc/namespace`, value: 'other' }),
    ['other'],
  ],
  'a clone that copies into a template': [
    'virtualmachineclones',
    patch({ op: 'copy', from: '/metadata/labels/x', path: `${path}/pvc/namespace` }),
    [undefined],
  ],
  'a clone that patches something else': [
    'virtualmachineclones',
    patch({ op: 'add', path: '/spec/template/metadata/labels', value: { namespace: 'other' } }),
    [],
  ],
}

function admit(resource: string, spec: object, allowed: boolean, oldSpec?: object) {
  const asked: (string | undefined)[] = []
  const objectOf = (content: object) =>
    ({ apiVersion: 'v1', kind: 'K', metadata: { name: 'n', namespace: 'team' }, spec: content }) as KubeObject
  const rule = sourceRights.find((each) => each.resource === resource)
  const work = () =>
    rule?.admit({
      operation: oldSpec ? 'UPDATE' : 'CREATE',
      object: objectOf(spec),
      ...(oldSpec ? { oldObject: objectOf(oldSpec) } : {}),
      user,
      may: ({ namespace, ...right }) => {
        expect(right).toEqual({
          verb: 'create',
          group: 'cdi.kubevirt.io',
          resource: 'datavolumes',
          subresource: 'source',
        })
        asked.push(namespace)
        return allowed
      },
    })
  return { work, asked }
}

describe('the right to the source is asked for', () => {
  test.each(Object.entries(cases))('%s', (_, [resource, spec, wanted]) => {
    const { work, asked } = admit(resource, spec, true)
    expect(work()).toBeUndefined()
    expect(asked).toEqual(wanted)
  })

  test.each(Object.entries(cases).filter(([, [, , wanted]]) => wanted.length > 0))('and refused: %s', (_, row) => {
    const [resource, spec] = row
    const { work } = admit(resource, spec, false)
    expect(work).toThrow(/"n" is forbidden: User "vera" has insufficient permissions to use a volume of another namesp/)
    try {
      work()
    } catch (error) {
      expect(isForbidden(error)).toBe(true)
    }
  })
})

test('what an object had before is not asked for again, and what is added is', () => {
  const { work } = admit('virtualmachines', templates(claim), false, templates(claim))
  expect(work()).toBeUndefined()
  expect(admit('virtualmachines', templates(claim), false, templates(local)).work).toThrow('in the namespace "other"')
})

test('over HTTP: an editor of one namespace reads another only when it is opened to them', async () => {
  const api = await startTestServer({ resources: kinds, admission: [...sourceRights, ...volumeAdmission] })
  try {
    await addUsers(api, { vera: [] })
    for (const name of ['team', 'other']) await api.client.post('/api/v1/namespaces', { metadata: { name } })
    const bind = (namespace: string, role: string) =>
      api.client.post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings`, {
        metadata: { name: role },
        roleRef: { kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'User', name: 'vera' }],
      })
    await bind('team', 'edit')
    const create = (name: string, source: object) =>
      api.client.post(
        '/apis/cdi.kubevirt.io/v1beta1/namespaces/team/datavolumes',
        {
          apiVersion: 'cdi.kubevirt.io/v1beta1',
          kind: 'DataVolume',
          metadata: { name },
          spec: { source, storage: {} },
        },
        { token: tokenOf('vera') },
      )
    expect((await create('same', local)).code).toBe(201)
    const refused = await create('foreign', claim)
    expect([refused.code, refused.body.message]).toEqual([
      403,
      'datavolumes.cdi.kubevirt.io "foreign" is forbidden: User "vera" has insufficient permissions to use a volume of another namespace as source: cannot create resource "datavolumes/source" in API group "cdi.kubevirt.io" in the namespace "other"',
    ])
    const rules = [{ apiGroups: ['cdi.kubevirt.io'], resources: ['datavolumes/source'], verbs: ['create'] }]
    await api.client.post('/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: 'cloner' }, rules })
    await bind('other', 'cloner')
    expect((await create('foreign', claim)).code).toBe(201)
  } finally {
    await api.close()
  }
})
