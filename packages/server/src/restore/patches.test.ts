import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { expect, test } from 'vitest'
import { applyPatches, PatchError } from './patches.ts'

const vm = objectOf(
  VirtualMachine,
  { name: 'copy', namespace: 'ns', labels: { app: 'x' } },
  { spec: { runStrategy: 'Halted', template: { spec: { domain: { devices: {} }, hostname: 'old' } } } },
)
const operation = (op: string, path: string, value?: unknown) =>
  JSON.stringify({ op, path, ...(value === undefined ? {} : { value }) })

test('d.7-patches are applied in order, as one patch', () => {
  const patched = applyPatches(vm, [
    operation('replace', '/spec/template/spec/hostname', 'first'),
    operation('test', '/spec/template/spec/hostname', 'first'),
    operation('replace', '/spec/template/spec/hostname', 'a:b,{c}'),
    operation('add', '/metadata/labels/tier~1x', 'y'),
  ])
  expect(patched.spec.template.spec.hostname).toBe('a:b,{c}')
  expect(patched.metadata.labels).toEqual({ app: 'x', 'tier/x': 'y' })
  expect(vm.spec.template.spec.hostname).toBe('old')
})

test('d.7-patches none leaves the definition as it is', () => {
  expect(applyPatches(vm, undefined)).toBe(vm)
  expect(applyPatches(vm, [])).toBe(vm)
})

test.each([
  ['a member that is not there', operation('remove', '/spec/template/spec/nothing')],
  ['a test that fails', operation('test', '/spec/template/spec/hostname', 'other')],
  ['what is no operation', operation('twist', '/spec/template/spec/hostname', 1)],
  ['what is no JSON', '{'],
])('d.7-patches %s is an error that names the VM', (_, patch) => {
  const apply = () => applyPatches(vm, [operation('replace', '/spec/runStrategy', 'Manual'), patch])
  expect(apply).toThrow(PatchError)
  expect(apply).toThrow(/^error patching VM copy: [^\n]+$/)
})
