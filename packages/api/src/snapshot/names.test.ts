import { expect, test } from 'vitest'
import { fnv1a, shorten } from './names.ts'

test('hashes with 32-bit FNV-1a', () => expect(fnv1a('a')).toBe('e40c292c'))

test.each([
  ['my-vm', 'disk1', 'my-vm-disk1'],
  [
    'very-long-virtual-machine-name-that-exceeds-limits',
    'very-long-volume-name-disk',
    'very-long-virtual-machine-n-e8cfe25d-very-long-volume-name-disk',
  ],
  ['persistent-state-for', 'a-virtual-machine-with-a-rather-long-name-of-51-chars', 'persistent-state-for-0eed592c'],
])('shortens %s and %s', (base, suffix, expected) => expect(shorten(base, suffix)).toBe(expected))
