import { expect, test } from 'vitest'
import { firmwareUuid } from './target-definition.ts'

test.each([
  ['testvm', '5a9fc181-957e-5c32-9e5a-2de5e9673531'],
  ['my-vm', '41256f5f-3759-54d0-9c60-26dff9079ab1'],
])('the firmware number of %s is known', (name, uuid) => expect(firmwareUuid(name)).toBe(uuid))
