import type { VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { expect, test } from 'vitest'
import { type RestoreEffect, restoreEffect } from './restore-effect.ts'
import { content } from './testing/objects.ts'

const claim = (name: string) => ({ name, persistentVolumeClaim: { claimName: `${name}-claim` } })
const dataVolume = (name: string) => ({ name, dataVolume: { name: `${name}-dv` } })
const specOf = (volumes: VirtualMachineSpec['template']['spec']['volumes'], templates: string[] = []) =>
  ({
    template: { spec: { domain: { devices: {} }, volumes } },
    dataVolumeTemplates: templates.map((name) => ({ metadata: { name }, spec: {} })),
  }) as VirtualMachineSpec
const contentOf = (spec: VirtualMachineSpec, backed: string[]) =>
  content({
    spec: {
      source: { virtualMachine: { metadata: { name: 'web-1' }, spec } },
      volumeBackups: backed.map((volumeName) => ({ volumeName, persistentVolumeClaim: {} })),
    },
  })

const nothing: RestoreEffect = { replaced: [], returning: [], untouched: [], removed: [] }
const init = { name: 'init', cloudInitNoCloud: {} }
const cases: Record<string, [VirtualMachineSpec | undefined, VirtualMachineSpec, string[], Partial<RestoreEffect>]> = {
  'replaces the disks both have': [
    specOf([claim('root'), init]),
    specOf([claim('root'), init]),
    ['root'],
    { replaced: ['root'] },
  ],
  'brings back a disk that was taken away': [
    specOf([claim('root')]),
    specOf([claim('root'), claim('data')]),
    ['root', 'data'],
    { replaced: ['root'], returning: ['data'] },
  ],
  'brings everything back when there is no VM': [undefined, specOf([claim('root')]), ['root'], { returning: ['root'] }],
  'leaves alone what the snapshot has no data of': [
    specOf([claim('root'), claim('data')]),
    specOf([claim('root'), claim('data')]),
    ['root'],
    { replaced: ['root'], untouched: ['data'] },
  ],
  'takes away what was added since, and deletes what was made with the VM': [
    specOf([claim('root'), claim('usb'), dataVolume('scratch'), dataVolume('lent')], ['scratch-dv']),
    specOf([claim('root')]),
    ['root'],
    {
      replaced: ['root'],
      removed: [
        { name: 'usb', deleted: false },
        { name: 'scratch', deleted: true },
        { name: 'lent', deleted: false },
      ],
    },
  ],
  'replaces the state of TPM and EFI, which is no volume of the definition': [
    specOf([]),
    specOf([]),
    ['persistent-state-for-web-1'],
    { replaced: ['persistent-state-for-web-1'] },
  ],
  'does not count a memory dump': [specOf([{ name: 'dump', memoryDump: { claimName: 'dump' } }]), specOf([]), [], {}],
}
test.each(Object.entries(cases))('a restore %s', (_, [now, captured, backed, expected]) =>
  expect(restoreEffect(now, contentOf(captured, backed))).toEqual({ ...nothing, ...expected }),
)
