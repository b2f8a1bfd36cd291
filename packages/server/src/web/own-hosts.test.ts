import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isOwnHost, parseHost } from './own-hosts.ts'

const cases: [sentence: string, listen: string, host: string | undefined, own: boolean][] = [
  ['localhost', '127.0.0.1', 'localhost:6443', true],
  ['without a port', '127.0.0.1', 'localhost', true],
  ['in capitals', '127.0.0.1', 'LocalHost:1', true],
  ['the IPv6 loopback', '127.0.0.1', '[::1]:6443', true],
  ['the address we listen on', '10.0.0.5', '10.0.0.5:6443', true],
  ['another address', '10.0.0.5', '10.0.0.6:6443', false],
  ['a name that was given', '10.0.0.5', 'vm-host.example.com:6443', true],
  ['a name that begins like it', '10.0.0.5', 'vm-host.example.com.evil.example', false],
  ['any other name', '127.0.0.1', 'rebound.example.org:6443', false],
  ['the address the connection came in on, where we listen on all', '0.0.0.0', '192.168.1.2:6443', true],
  ['another address, where we listen on all', '0.0.0.0', '192.168.1.3:6443', false],
  ['the same, where we do not', '127.0.0.1', '192.168.1.2:6443', false],
  ['nothing', '127.0.0.1', undefined, false],
  ['an empty one', '127.0.0.1', '', false],
  ['two names', '127.0.0.1', 'localhost, evil.example', false],
  ['a user before it', '127.0.0.1', 'localhost@evil.example', false],
  ['what is no address', '127.0.0.1', '[1]:1', false],
]
test.each(cases)('%s', (_, listen, host, own) => {
  const rule = { listen, names: ['vm-host.example.com'] }
  expect(isOwnHost(rule, host, '::ffff:192.168.1.2')).toBe(own)
})

test('what is read of a host is all there is of it', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.domain(), fc.ipV6(), fc.ipV4()), (text) => {
      const parsed = parseHost(text)
      if (parsed)
        expect(text.toLowerCase().replace(/[[\]]/g, '')).toBe(`${parsed.name}${text.slice(text.search(/(:\d+)?$/))}`)
    }),
  )
})
