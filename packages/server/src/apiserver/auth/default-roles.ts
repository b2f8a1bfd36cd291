import type { PolicyRule, Subject } from '@stillpoint/api/core/rbac'
import { rbacGroup } from '@stillpoint/api/core/rbac'
import { issuerPaths } from './issuer-documents.ts'

// The roles every cluster has, as far as they are about what is served here, and those that KubeVirt and CDI bring along.

export interface DefaultRole {
  name: string
  rules?: readonly PolicyRule[]
  /** Made from the roles that have this label. */
  aggregates?: string
  labels?: Readonly<Record<string, string>>
  /** Who has it, everywhere. */
  subjects?: readonly Subject[]
}

const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']
/** KubeVirt's editors do not delete collections. */
const edit = ['get', 'delete', 'create', 'update', 'patch', 'list', 'watch']
const all = [...edit, 'deletecollection']

const on = (apiGroup: string, resources: string[], verbs: string[]): PolicyRule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
})
const paths = (...nonResourceURLs: string[]): PolicyRule => ({ nonResourceURLs, verbs: ['get'] })
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: rbacGroup, name })

const aggregateTo = (role: 'admin' | 'edit' | 'view') => `rbac.authorization.k8s.io/aggregate-to-${role}`
const into = (role: 'admin' | 'edit' | 'view') => ({ [aggregateTo(role)]: 'true' })

const authenticated = group('system:authenticated')
const storageSnapshots = 'snapshot.storage.k8s.io'
const vmKinds: [group: string, resources: string[]][] = [
  ['kubevirt.io', ['virtualmachines', 'virtualmachineinstances']],
  ['snapshot.kubevirt.io', ['virtualmachinesnapshots', 'virtualmachinesnapshotcontents', 'virtualmachinerestores']],
  ['clone.kubevirt.io', ['virtualmachineclones']],
]
const ofVm = (...names: string[]) => names.map((name) => `virtualmachines/${name}`)
const ofInstance = (...names: string[]) => names.map((name) => `virtualmachineinstances/${name}`)
const subresources = 'subresources.kubevirt.io'
const vmReads = on(
  subresources,
  [...ofVm('expand-spec', 'objectgraph'), ...ofInstance('guestosinfo', 'filesystemlist', 'userlist', 'objectgraph')],
  ['get'],
)
// Also those that are not served yet: without a handler they are 404, and a role need not change with each.
const vmUse = [
  vmReads,
  on(
    subresources,
    [...ofVm('portforward'), ...ofInstance('console', 'vnc', 'vnc/screenshot', 'portforward', 'usbredir', 'vsock')],
    ['get'],
  ),
  on(
    subresources,
    [
      ...ofVm('start', 'stop', 'restart', 'addvolume', 'removevolume', 'memorydump', 'removememorydump'),
      ...ofInstance('pause', 'unpause', 'freeze', 'unfreeze', 'softreboot', 'reset', 'addvolume', 'removevolume'),
    ],
    ['update'],
  ),
]
const dataVolumeUse = (verbs: string[]) => [
  on('cdi.kubevirt.io', ['datavolumes'], verbs),
  on('cdi.kubevirt.io', ['datavolumes/source'], ['create']),
  on('upload.cdi.kubevirt.io', ['uploadtokenrequests'], ['create']),
]

const namespaceContent = ['configmaps', 'events', 'persistentvolumeclaims', 'serviceaccounts']

export const defaultRoles: readonly DefaultRole[] = [
  {
    name: 'cluster-admin',
    rules: [on('*', ['*'], ['*']), { nonResourceURLs: ['*'], verbs: ['*'] }],
    subjects: [group('system:masters')],
  },
  { name: 'admin', aggregates: aggregateTo('admin') },
  { name: 'edit', aggregates: aggregateTo('edit'), labels: into('admin') },
  { name: 'view', aggregates: aggregateTo('view'), labels: into('edit') },
  {
    name: 'system:aggregate-to-admin',
    labels: into('admin'),
    rules: [
      on('authorization.k8s.io', ['localsubjectaccessreviews'], ['create']),
      on(rbacGroup, ['roles', 'rolebindings'], [...write, ...read]),
    ],
  },
  {
    name: 'system:aggregate-to-edit',
    labels: into('edit'),
    rules: [
      on('', ['secrets'], [...read, ...write]),
      on('', ['serviceaccounts'], ['impersonate']),
      on('', ['serviceaccounts/token'], ['create']),
      on('', ['configmaps', 'events', 'persistentvolumeclaims', 'serviceaccounts'], write),
      on('coordination.k8s.io', ['leases'], [...write, ...read]),
      on(storageSnapshots, ['volumesnapshots'], write),
    ],
  },
  {
    name: 'system:aggregate-to-view',
    labels: into('view'),
    rules: [
      // Pods are not kept here, but kubectl asks for them when it describes a claim.
      on('', [...namespaceContent, 'persistentvolumeclaims/status', 'namespaces', 'namespaces/status', 'pods'], read),
      on('apps', ['controllerrevisions'], read),
      on(storageSnapshots, ['volumesnapshots', 'volumesnapshots/status'], read),
    ],
  },
  {
    name: 'kubevirt.io:admin',
    labels: into('admin'),
    rules: [...vmKinds.map(([apiGroup, resources]) => on(apiGroup, resources, all)), ...vmUse],
  },
  {
    name: 'kubevirt.io:edit',
    labels: into('edit'),
    rules: [...vmKinds.map(([apiGroup, resources]) => on(apiGroup, resources, edit)), ...vmUse],
  },
  {
    name: 'kubevirt.io:view',
    labels: into('view'),
    rules: [...vmKinds.map(([apiGroup, resources]) => on(apiGroup, resources, read)), vmReads],
  },
  { name: 'cdi.kubevirt.io:admin', labels: into('admin'), rules: dataVolumeUse(all) },
  { name: 'cdi.kubevirt.io:edit', labels: into('edit'), rules: dataVolumeUse(edit) },
  { name: 'cdi.kubevirt.io:view', labels: into('view'), rules: [on('cdi.kubevirt.io', ['datavolumes'], read)] },
  {
    name: 'cdi.kubevirt.io:config-reader',
    rules: [on('cdi.kubevirt.io', ['cdiconfigs', 'storageprofiles'], read)],
    subjects: [authenticated],
  },
  {
    // Who may make claims must be able to choose a class, also with rights in one namespace only.
    name: 'stillpoint:storage-class-reader',
    rules: [on('storage.k8s.io', ['storageclasses'], read), on(storageSnapshots, ['volumesnapshotclasses'], read)],
    subjects: [authenticated],
  },
  {
    // For programs that let this server say who their callers are and what they may do.
    name: 'system:auth-delegator',
    rules: [
      on('authentication.k8s.io', ['tokenreviews'], ['create']),
      on('authorization.k8s.io', ['subjectaccessreviews'], ['create']),
    ],
  },
  {
    name: 'system:basic-user',
    rules: [
      on('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
      on('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
    ],
    subjects: [authenticated],
  },
  {
    name: 'system:discovery',
    rules: [
      paths(
        '/api',
        '/api/*',
        '/apis',
        '/apis/*',
        '/healthz',
        '/livez',
        '/openapi',
        '/openapi/*',
        '/readyz',
        '/version',
        '/version/',
      ),
    ],
    subjects: [authenticated],
  },
  {
    // For programs that check the tokens of others by themselves.
    name: 'system:service-account-issuer-discovery',
    rules: [paths(...issuerPaths.flatMap((path) => [path, `${path}/`]))],
    subjects: [group('system:serviceaccounts')],
  },
  {
    // For programs that measure.
    name: 'system:monitoring',
    rules: [paths('/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*')],
    subjects: [group('system:monitoring')],
  },
  {
    name: 'system:public-info-viewer',
    rules: [paths('/healthz', '/livez', '/readyz', '/version', '/version/')],
    subjects: [authenticated, group('system:unauthenticated')],
  },
]
