import { controllerOf, type KubeObject } from '@stillpoint/api/meta/object-meta'
import { isJsonObject } from '../json.ts'
import { ageOf, unknownAge } from './age.ts'
import type { ColumnDefinition, Printer } from './printer.ts'

type Cell = (object: KubeObject, now: Date) => unknown
type Spec = [name: string, type: ColumnDefinition['type'], description: string, cell: Cell]

/** Columns a real API server has in its code, by `group/Kind`. */
export const builtinPrinters: Readonly<Record<string, Printer>> = {
  '/Namespace': printer([
    ['Status', 'string', 'Stage of the life of the namespace.', (o) => text(o, 'status', 'phase')],
    age(),
  ]),
  '/ConfigMap': printer([
    ['Data', 'string', 'Number of keys.', (o) => size(at(o, 'data')) + size(at(o, 'binaryData'))],
    age(),
  ]),
  '/Secret': printer([
    ['Type', 'string', 'What the data is for.', (o) => text(o, 'type')],
    ['Data', 'string', 'Number of keys.', (o) => size(at(o, 'data'))],
    age(),
  ]),
  '/ServiceAccount': printer([['Secrets', 'string', 'Number of secrets.', (o) => list(o, 'secrets').length], age()]),
  '/Event': {
    ...printer([
      ['Last Seen', 'string', 'When it was last recorded.', lastSeen],
      ['Type', 'string', 'Normal or Warning.', (o) => text(o, 'type')],
      ['Reason', 'string', 'One word why.', (o) => text(o, 'reason')],
      ['Object', 'string', 'The object it is about.', involvedObject],
      wide('Subobject', 'string', 'The part of the object it is about.', (o) => text(o, 'involvedObject', 'fieldPath')),
      wide('Source', 'string', 'Who reported it.', eventSource),
      ['Message', 'string', 'A sentence for people.', (o) => text(o, 'message').trim()],
      wide('First Seen', 'string', 'When it was first recorded.', firstSeen),
      wide('Count', 'string', 'How often it occurred.', eventCount),
      wide('Name', 'string', 'Name of the event.', (o) => o.metadata.name),
    ]),
    named: false,
  },
  '/PersistentVolumeClaim': printer([
    ['Status', 'string', 'Stage of the life of the claim.', phaseOrTerminating],
    ['Volume', 'string', 'The volume the claim is bound to.', (o) => text(o, 'spec', 'volumeName')],
    [
      'Capacity',
      'string',
      'Size of the volume.',
      (o) => ifBound(o, () => printed(at(o, 'status', 'capacity', 'storage'))),
    ],
    [
      'Access Modes',
      'string',
      'How the volume may be mounted.',
      (o) => ifBound(o, () => accessModes(list(o, 'status', 'accessModes'))),
    ],
    ['StorageClass', 'string', 'Class of the volume.', (o) => text(o, 'spec', 'storageClassName')],
    age(),
    wide('VolumeMode', 'string', 'Filesystem or Block.', (o) => text(o, 'spec', 'volumeMode') || '<unset>'),
  ]),
  '/PersistentVolume': printer([
    ['Capacity', 'string', 'Size of the volume.', (o) => printed(at(o, 'spec', 'capacity', 'storage'))],
    ['Access Modes', 'string', 'How the volume may be mounted.', (o) => accessModes(list(o, 'spec', 'accessModes'))],
    [
      'Reclaim Policy',
      'string',
      'What happens to a released volume.',
      (o) => text(o, 'spec', 'persistentVolumeReclaimPolicy'),
    ],
    ['Status', 'string', 'Stage of the life of the volume.', phaseOrTerminating],
    ['Claim', 'string', 'The claim the volume is bound to.', claim],
    ['StorageClass', 'string', 'Class of the volume.', (o) => text(o, 'spec', 'storageClassName')],
    ['Reason', 'string', 'One word why the volume is in this state.', (o) => text(o, 'status', 'reason')],
    age(),
    wide('VolumeMode', 'string', 'Filesystem or Block.', (o) => text(o, 'spec', 'volumeMode') || '<unset>'),
  ]),
  'storage.k8s.io/StorageClass': {
    ...printer([
      ['Provisioner', 'string', 'Driver that makes the volumes.', (o) => text(o, 'provisioner')],
      ['ReclaimPolicy', 'string', 'What happens to released volumes.', (o) => text(o, 'reclaimPolicy') || 'Delete'],
      [
        'VolumeBindingMode',
        'string',
        'When volumes are made and bound.',
        (o) => text(o, 'volumeBindingMode') || 'Immediate',
      ],
      ['AllowVolumeExpansion', 'string', 'Whether claims may grow.', (o) => at(o, 'allowVolumeExpansion') === true],
      age(),
    ]),
    name: (o) => (isDefaultClass(o) ? `${o.metadata.name} (default)` : o.metadata.name),
  },
  '/Node': printer([
    ['Status', 'string', 'Whether the node is ready.', nodeStatus],
    ['Roles', 'string', 'Roles of the node.', nodeRoles],
    age(),
    ['Version', 'string', 'Version of the node agent.', (o) => text(o, 'status', 'nodeInfo', 'kubeletVersion')],
    wide('Internal-IP', 'string', 'Address inside the cluster.', (o) => address(o, 'InternalIP')),
    wide('External-IP', 'string', 'Address outside the cluster.', (o) => address(o, 'ExternalIP')),
    wide('OS-Image', 'string', 'Operating system.', (o) => text(o, 'status', 'nodeInfo', 'osImage') || unknownAge),
    wide('Kernel-Version', 'string', 'Kernel.', (o) => text(o, 'status', 'nodeInfo', 'kernelVersion') || unknownAge),
    wide(
      'Container-Runtime',
      'string',
      'What runs workloads.',
      (o) => text(o, 'status', 'nodeInfo', 'containerRuntimeVersion') || unknownAge,
    ),
  ]),
  'coordination.k8s.io/Lease': printer([
    ['Holder', 'string', 'Who holds the lease.', (o) => text(o, 'spec', 'holderIdentity')],
    age(),
  ]),
  'apps/ControllerRevision': printer([
    ['Controller', 'string', 'The controller of the revision.', controller],
    ['Revision', 'string', 'Number of the revision.', (o) => at(o, 'revision') ?? 0],
    age(),
  ]),
  'rbac.authorization.k8s.io/Role': printer([createdAt()]),
  'rbac.authorization.k8s.io/ClusterRole': printer([createdAt()]),
  'rbac.authorization.k8s.io/RoleBinding': printer(bindingColumns()),
  'rbac.authorization.k8s.io/ClusterRoleBinding': printer(bindingColumns()),
}

type WideSpec = [...Spec, 'wide']

function wide(...spec: Spec): WideSpec {
  return [...spec, 'wide']
}

function printer(specs: (Spec | WideSpec)[]): Printer {
  return {
    columns: specs.map(([name, type, description, , priority]) => ({
      name,
      type,
      format: '',
      description,
      priority: priority === 'wide' ? 1 : 0,
    })),
    cells: (object, now) => specs.map(([, , , cell]) => cell(object, now)),
  }
}

function age(): Spec {
  return ['Age', 'string', 'Time since creation.', (o, now) => since(o.metadata.creationTimestamp, now)]
}

function createdAt(): Spec {
  return ['Created At', 'date', 'Time of creation.', (o) => o.metadata.creationTimestamp ?? '']
}

function bindingColumns(): (Spec | WideSpec)[] {
  const subjects = (o: KubeObject, kind: string): string =>
    list(o, 'subjects')
      .filter((subject) => at(subject, 'kind') === kind)
      .map((subject) => [text(subject, 'namespace'), text(subject, 'name')].filter((part) => part !== '').join('/'))
      .join(', ')
  return [
    ['Role', 'string', 'The role that is given.', (o) => `${text(o, 'roleRef', 'kind')}/${text(o, 'roleRef', 'name')}`],
    age(),
    wide('Users', 'string', 'Users who get the role.', (o) => subjects(o, 'User')),
    wide('Groups', 'string', 'Groups who get the role.', (o) => subjects(o, 'Group')),
    wide('ServiceAccounts', 'string', 'Programs that get the role.', (o) => subjects(o, 'ServiceAccount')),
  ]
}

function since(timestamp: unknown, now: Date): string {
  return (typeof timestamp === 'string' && ageOf(timestamp, now)) || unknownAge
}

/** The member at a path of field names, of objects only. */
function at(value: unknown, ...path: string[]): unknown {
  let current = value
  for (const name of path) current = isJsonObject(current) && Object.hasOwn(current, name) ? current[name] : undefined
  return current
}

function text(value: unknown, ...path: string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : ''
}

function list(value: unknown, ...path: string[]): unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}

function size(map: unknown): number {
  return isJsonObject(map) ? Object.keys(map).length : 0
}

function printed(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

function phaseOrTerminating(object: KubeObject): string {
  return object.metadata.deletionTimestamp === undefined ? text(object, 'status', 'phase') : 'Terminating'
}

function ifBound(claimObject: KubeObject, show: () => string): string {
  return text(claimObject, 'spec', 'volumeName') === '' ? '' : show()
}

const shortModes: Record<string, string> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}

function accessModes(modes: unknown[]): string {
  return Object.keys(shortModes)
    .filter((mode) => modes.includes(mode))
    .map((mode) => shortModes[mode])
    .join(',')
}

function claim(object: KubeObject): string {
  const name = text(object, 'spec', 'claimRef', 'name')
  return name === '' ? '' : `${text(object, 'spec', 'claimRef', 'namespace')}/${name}`
}

function isDefaultClass({ metadata: { annotations } }: KubeObject): boolean {
  return ['storageclass.kubernetes.io', 'storageclass.beta.kubernetes.io'].some(
    (domain) => annotations?.[`${domain}/is-default-class`] === 'true',
  )
}

function nodeStatus(node: KubeObject): string {
  const ready = list(node, 'status', 'conditions').find((condition) => at(condition, 'type') === 'Ready')
  const words = [ready === undefined ? 'Unknown' : at(ready, 'status') === 'True' ? 'Ready' : 'NotReady']
  if (at(node, 'spec', 'unschedulable') === true) words.push('SchedulingDisabled')
  return words.join(',')
}

const rolePrefix = 'node-role.kubernetes.io/'

function nodeRoles({ metadata: { labels = {} } }: KubeObject): string {
  const roles = Object.entries(labels).flatMap(([label, value]) =>
    label.startsWith(rolePrefix) ? [label.slice(rolePrefix.length)] : label === 'kubernetes.io/role' ? [value] : [],
  )
  return [...new Set(roles.filter((role) => role !== ''))].sort().join(',') || '<none>'
}

function address(node: KubeObject, type: string): string {
  const found = list(node, 'status', 'addresses').find((entry) => at(entry, 'type') === type)
  return text(found, 'address') || '<none>'
}

function controller(object: KubeObject): string {
  const owner = controllerOf(object)
  if (owner === undefined) return '<none>'
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`
}

function firstSeen(event: KubeObject, now: Date): string {
  return since(at(event, 'firstTimestamp') ?? at(event, 'eventTime'), now)
}

function lastSeen(event: KubeObject, now: Date): string {
  if (isJsonObject(at(event, 'series'))) return since(at(event, 'series', 'lastObservedTime'), now)
  return since(at(event, 'lastTimestamp') ?? at(event, 'firstTimestamp') ?? at(event, 'eventTime'), now)
}

function eventCount(event: KubeObject): number {
  const series = at(event, 'series')
  const count = isJsonObject(series) ? (at(series, 'count') ?? 0) : (at(event, 'count') ?? 0)
  return typeof count === 'number' && (count > 0 || isJsonObject(series)) ? count : 1
}

function involvedObject(event: KubeObject): string {
  const kind = text(event, 'involvedObject', 'kind').toLowerCase()
  const name = text(event, 'involvedObject', 'name')
  return name === '' ? kind : `${kind}/${name}`
}

function eventSource(event: KubeObject): string {
  const component = text(event, 'source', 'component') || text(event, 'reportingComponent')
  const host = text(event, 'source', 'host') || text(event, 'reportingInstance')
  return host === '' ? component : `${component}, ${host}`
}
