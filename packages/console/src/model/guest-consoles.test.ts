import { expect, test } from 'vitest'
import { consolesOf } from './guest-consoles.ts'

test.each([
  [{}, ['console', 'vnc']],
  [{ autoattachGraphicsDevice: true, autoattachSerialConsole: true }, ['console', 'vnc']],
  [{ autoattachGraphicsDevice: false }, ['console']],
  [{ autoattachSerialConsole: false }, ['vnc']],
  [{ autoattachGraphicsDevice: false, autoattachSerialConsole: false }, []],
])('with %j one sits before %j', (devices, expected) => expect(consolesOf({ domain: { devices } })).toEqual(expected))
