import { ConfigMap, Secret } from '@stillpoint/api/core/config'
import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import { Event } from '@stillpoint/api/core/event'
import { Lease } from '@stillpoint/api/core/lease'
import { Namespace } from '@stillpoint/api/core/namespace'
import { Node } from '@stillpoint/api/core/node'
import { ServiceAccount } from '@stillpoint/api/core/service-account'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { type ResourceDefinition, resource } from '@stillpoint/api/schema/resource'
import { PersistentVolume, PersistentVolumeClaim, StorageClass } from '@stillpoint/api/storage/kinds'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { toTable } from './table.ts'

const now = new Date('2026-01-01T01:00:00Z')

interface Table {
  kind: string
  metadata: object
  columnDefinitions: { name: string; priority: number; format: string; description: string }[] | null
  rows: { cells: unknown[]; object?: { kind: string } }[]
}

function table(def: ResourceDefinition, fields: object, metadata: object = {}, options: object = {}): Table {
  const object = {
    apiVersion: 'x',
    kind: def.kind,
    metadata: { name: 'n', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    ...fields,
  } as KubeObject
  return toTable(def, [object], { resourceVersion: '7' }, { includeObject: 'Metadata', ...options }, now) as Table
}

const Widget = resource({
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  description: 'A widget.',
  fields: { spec: z.looseObject({}).optional() },
  columns: [
    { name: 'Text', type: 'string', jsonPath: '.spec.text' },
    { name: 'Count', type: 'integer', jsonPath: '.spec.count' },
    { name: 'Ratio', type: 'number', jsonPath: '.spec.ratio', priority: 1 },
    { name: 'On', type: 'boolean', jsonPath: '.spec.on' },
    { name: 'When', type: 'date', jsonPath: '.spec.when' },
  ],
})

const customCells: [string, object, unknown[]][] = [
  [
    'values of their types',
    { text: 'a', count: 2, ratio: 0.5, on: false, when: '2026-01-01T00:55:00Z' },
    ['n', 'a', 2, 0.5, false, '5m'],
  ],
  ['nothing where there is nothing', {}, ['n', null, null, null, null, null]],
  [
    'nothing where the type is another',
    { text: 3, count: 'x', ratio: 'x', on: 1, when: 5 },
    ['n', '3', null, null, null, '<invalid>'],
  ],
  ['lists and maps as JSON', { text: ['a', { b: 1, a: 2 }] }, ['n', '["a",{"a":2,"b":1}]', null, null, null, null]],
]
test.each(customCells)('custom columns show %s', (_, spec, cells) =>
  expect(table(Widget, { spec }).rows[0]?.cells).toEqual(cells),
)

const bound = { volumeName: 'pv-1', storageClassName: 'fast', volumeMode: 'Block' }
const builtinCells: [string, ResourceDefinition, object, object, unknown[]][] = [
  ['a namespace', Namespace, { status: { phase: 'Active' } }, {}, ['n', 'Active', '60m']],
  ['a config map', ConfigMap, { data: { a: '', b: '' }, binaryData: { c: '' } }, {}, ['n', 3, '60m']],
  ['a secret', Secret, { type: 'Opaque', data: { a: '' } }, {}, ['n', 'Opaque', 1, '60m']],
  ['an account of unknown age', ServiceAccount, {}, { creationTimestamp: undefined }, ['n', 0, '<unknown>']],
  ['a lease', Lease, { spec: { holderIdentity: 'me' } }, {}, ['n', 'me', '60m']],
  [
    'a revision with its controller',
    ControllerRevision,
    { revision: 4 },
    {
      ownerReferences: [
        { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'vm', uid: 'u', controller: true },
      ],
    },
    ['n', 'virtualmachine.kubevirt.io/vm', 4, '60m'],
  ],
  [
    'a bound claim',
    PersistentVolumeClaim,
    {
      spec: bound,
      status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteMany', 'ReadWriteOnce'] },
    },
    {},
    ['n', 'Bound', 'pv-1', '1Gi', 'RWO,RWX', 'fast', '60m', 'Block'],
  ],
  [
    'a claim that is not bound, without capacity',
    PersistentVolumeClaim,
    { spec: {}, status: { phase: 'Pending', capacity: { storage: '1Gi' } } },
    {},
    ['n', 'Pending', '', '', '', '', '60m', '<unset>'],
  ],
  [
    'a claim that is going',
    PersistentVolumeClaim,
    { spec: {}, status: { phase: 'Bound' } },
    { deletionTimestamp: '2026-01-01T00:59:00Z' },
    ['n', 'Terminating', '', '', '', '', '60m', '<unset>'],
  ],
  [
    'a volume',
    PersistentVolume,
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Delete',
        claimRef: { namespace: 'd', name: 'c' },
        storageClassName: 'fast',
      },
      status: { phase: 'Bound' },
    },
    {},
    ['n', '1Gi', 'RWO', 'Delete', 'Bound', 'd/c', 'fast', '', '60m', '<unset>'],
  ],
  [
    'the default storage class',
    StorageClass,
    { provisioner: 'p' },
    { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    ['n (default)', 'p', 'Delete', 'Immediate', false, '60m'],
  ],
  [
    'a cordoned node',
    Node,
    {
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        nodeInfo: { kubeletVersion: 'v1' },
      },
    },
    { labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/control-plane': '' } },
    [
      'n',
      'Ready,SchedulingDisabled',
      'control-plane,worker',
      '60m',
      'v1',
      '10.0.0.1',
      '<none>',
      '<unknown>',
      '<unknown>',
      '<unknown>',
    ],
  ],
  [
    'an event of the old form',
    Event,
    {
      involvedObject: { kind: 'VirtualMachine', name: 'vm' },
      type: 'Normal',
      reason: 'Started',
      message: ' up\n',
      source: { component: 'c', host: 'h' },
      firstTimestamp: '2026-01-01T00:58:00Z',
      lastTimestamp: '2026-01-01T00:59:00Z',
      count: 3,
    },
    {},
    ['60s', 'Normal', 'Started', 'virtualmachine/vm', '', 'c, h', 'up', '2m', 3, 'n'],
  ],
  [
    'an event of the new form',
    Event,
    {
      involvedObject: { kind: 'Node' },
      reportingComponent: 'r',
      eventTime: '2026-01-01T00:59:00.000000Z',
      firstTimestamp: null,
    },
    {},
    ['60s', '', '', 'node', '', 'r', '', '60s', 1, 'n'],
  ],
]
test.each(builtinCells)('built-in columns of %s', (_, def, fields, metadata, cells) => {
  const shown = table(def, fields, metadata)
  expect(shown.rows[0]?.cells).toEqual(cells)
  expect(shown.columnDefinitions?.length).toBe(cells.length)
})

test('the name column says it is one, and wide columns have a priority', () => {
  const { columnDefinitions } = table(Widget, {})
  expect(columnDefinitions?.map(({ name, format, priority }) => [name, format, priority])).toEqual([
    ['Name', 'name', 0],
    ['Text', '', 0],
    ['Count', '', 0],
    ['Ratio', '', 1],
    ['On', '', 0],
    ['When', '', 0],
  ])
})

test('rows carry as much of the object as was asked for', () => {
  expect(table(Widget, {}).rows[0]?.object?.kind).toBe('PartialObjectMetadata')
  expect(table(Widget, {}, {}, { includeObject: 'Object' }).rows[0]?.object?.kind).toBe('Widget')
  expect(table(Widget, {}, {}, { includeObject: 'None' }).rows[0]).not.toHaveProperty('object')
})

test('later events of a watch leave the columns out', () => {
  expect(table(Widget, {}, {}, { columnDefinitions: false }).columnDefinitions).toBeNull()
})
