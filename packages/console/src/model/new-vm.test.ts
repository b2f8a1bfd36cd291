import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  atFormFields,
  claimUsers,
  exampleVm,
  type NewVm,
  type NewVmField,
  newVm,
  newVmObject,
  newVmProblems,
  sizeOf,
} from './new-vm.ts'
import { vm } from './testing/objects.ts'

const good: NewVm = { ...newVm, name: 'web-1', url: 'file:///guest.qcow2' }

describe('problems', () => {
  const cases: Record<string, [Partial<NewVm>, NewVmField[]]> = {
    none: [{}, []],
    'no name': [{ name: '' }, ['name']],
    'a name that is taken': [{ name: 'taken' }, ['name']],
    'no cores': [{ cores: '0' }, ['cores']],
    'a part of a core': [{ cores: '1.5' }, ['cores']],
    'too many cores': [{ cores: '256' }, ['cores']],
    'memory that is no number': [{ memory: { text: '1e3', unit: 'Mi' } }, ['memory']],
    'no memory': [{ memory: { text: '0', unit: 'Gi' } }, ['memory']],
    'no address of the image': [{ url: ' ' }, ['url']],
    'an address of another kind': [{ url: 'ftp://host/x' }, ['url']],
    'an address that matters not': [{ source: 'blank', url: '' }, []],
    'no snapshot chosen': [{ source: 'snapshot' }, ['snapshot']],
    'a disk smaller than its snapshot': [
      { source: 'snapshot', snapshot: { namespace: 'shop', name: 's', restoreBytes: 11 * 2 ** 30 } },
      ['size'],
    ],
    'no claim chosen': [{ source: 'claim', size: { text: '', unit: 'Gi' } }, ['claim']],
    'user data that is too long': [{ userData: 'ä'.repeat(1_025) }, ['userData']],
  }
  test.each(Object.entries(cases))('%s', (_, [given, expected]) =>
    expect(Object.keys(newVmProblems({ ...good, ...given }, new Set(['taken'])))).toEqual(expected),
  )
})

describe('the object', () => {
  test('has its disk made from an image, and starts', () => {
    const { spec, metadata } = newVmObject({ ...good, cores: '2', size: { text: '1.5', unit: 'Gi' } }, 'shop')
    expect(metadata).toEqual({ name: 'web-1', namespace: 'shop' })
    expect(spec.runStrategy).toBe('Always')
    expect(spec.dataVolumeTemplates).toEqual([
      {
        metadata: { name: 'web-1-root' },
        spec: {
          source: { http: { url: 'file:///guest.qcow2' } },
          storage: { resources: { requests: { storage: '1536Mi' } } },
        },
      },
    ])
    expect(spec.template.spec.domain).toMatchObject({ cpu: { cores: 2 }, memory: { guest: '2Gi' } })
    expect(spec.template.spec.volumes).toEqual([{ name: 'root', dataVolume: { name: 'web-1-root' } }])
  })

  test('uses a claim as it is, and cloud-init, and stays off', () => {
    const { spec } = newVmObject({ ...good, source: 'claim', claim: 'c', userData: '#!', start: false }, 'shop')
    expect(spec.runStrategy).toBe('Halted')
    expect(spec.dataVolumeTemplates).toBeUndefined()
    expect(spec.template.spec.volumes).toEqual([
      { name: 'root', persistentVolumeClaim: { claimName: 'c' } },
      { name: 'cloudinit', cloudInitNoCloud: { userData: '#!' } },
    ])
    expect(spec.template.spec.domain.devices.disks?.map(({ name }) => name)).toEqual(['root', 'cloudinit'])
  })

  test('takes a snapshot of another namespace, or nothing, as source', () => {
    const sourceIn = (form: Partial<NewVm>) =>
      newVmObject({ ...good, ...form }, 'shop').spec.dataVolumeTemplates?.[0]?.spec.source
    const snapshot = { namespace: 'lab', name: 's', restoreBytes: 1 }
    expect(sourceIn({ source: 'snapshot', snapshot })).toEqual({ snapshot: { namespace: 'lab', name: 's' } })
    expect(sourceIn({ source: 'blank' })).toEqual({ blank: {} })
  })

  test('as an example it has something in each place, whatever the form holds', () => {
    const size = { text: 'x', unit: 'Gi' } as const
    const { metadata, spec } = exampleVm({ ...newVm, cores: '', size }, 'shop')
    expect(metadata.name).toBe('my-vm')
    expect(spec.template.spec.domain.cpu?.cores).toBe(1)
    expect(spec.dataVolumeTemplates?.[0]?.spec.storage?.resources?.requests?.storage).toBe('10Gi')
  })
})

test('a size of bytes is shown rounded up, never down', () => {
  expect(sizeOf(10 * 2 ** 30)).toEqual({ text: '10', unit: 'Gi' })
  expect(sizeOf(2 ** 30 + 1)).toEqual({ text: '1025', unit: 'Mi' })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (restoreBytes) => {
      const form = { ...good, source: 'snapshot' as const, size: sizeOf(restoreBytes) }
      expect(newVmProblems({ ...form, snapshot: { namespace: 'a', name: 'b', restoreBytes } }, new Set())).toEqual({})
    }),
  )
})

test('what the API refuses stands at the field it is about', () =>
  expect(
    atFormFields([
      { field: 'spec.template.spec.domain.memory.guest', message: 'too little' },
      { field: 'metadata.name', message: 'taken' },
      { field: 'metadata.name', message: 'and too long' },
      { field: 'spec.dataVolumeTemplates[0].spec.source.snapshot', message: 'not allowed' },
      { field: 'spec.other', message: 'strange' },
      { message: 'no' },
    ]),
  ).toEqual({
    fields: { memory: 'too little', name: 'taken', snapshot: 'not allowed' },
    rest: ['spec.other: strange', 'no'],
  }))

test('a claim is known with the VM that uses it', () => {
  const user = newVmObject({ ...good, source: 'claim', claim: 'c' }, 'shop')
  expect([...claimUsers([vm(), user])]).toEqual([['c', 'web-1']])
})
