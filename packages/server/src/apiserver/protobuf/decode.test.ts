import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope, WireError } from './decode.ts'

const field = (number: number, ...parts: (Buffer | string)[]) => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const length = body.length < 128 ? [body.length] : [(body.length & 0x7f) | 0x80, body.length >> 7]
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), body])
}
const number = (at: number, value: number) => Buffer.from([at * 8, value])
const envelope = (apiVersion: string, kind: string, ...fields: Buffer[]) =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    field(1, field(1, apiVersion), field(2, kind)),
    field(2, ...fields),
    field(3, ''),
    field(4, ''),
  ])

describe('a protobuf body', () => {
  test('loses the zeros Go writes for what was not given', () => {
    const metadata = field(1, field(1, 'ns'), field(2, ''), field(3, ''), number(7, 0), field(8))
    expect(decodeEnvelope(envelope('v1', 'Namespace', metadata, field(2), field(3, field(1, ''))))).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'ns' },
    })
  })

  test('keeps zeros behind pointers', () => {
    const body = decodeEnvelope(envelope('v1', 'ConfigMap', field(1, field(1, 'c')), number(4, 0)))
    expect(body).toMatchObject({ immutable: false })
  })

  test('carries maps, bytes, lists and times', () => {
    const owner = field(13, field(1, 'Node'), field(3, 'n'), field(4, 'u'), field(5, 'v1'), number(6, 1))
    const metadata = field(
      1,
      field(1, 's'),
      field(11, field(1, 'a'), field(2, 'b')),
      field(11, field(1, '__proto__')),
      owner,
      field(14, 'x/y'),
    )
    const data = field(2, field(1, 'k'), field(2, Buffer.from([0, 255])))
    expect(JSON.stringify(decodeEnvelope(envelope('v1', 'Secret', metadata, data, field(3, 'Opaque'))))).toBe(
      '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","labels":{"a":"b","__proto__":""},"ownerReferences":[{"kind":"Node","name":"n","uid":"u","apiVersion":"v1","controller":true}],"finalizers":["x/y"]},"data":{"k":"AP8="},"type":"Opaque"}',
    )
    const renewed = field(4, Buffer.from([8, 0xf0, 0xb1, 0xd5, 0xc0, 0x06]), Buffer.from([16, 0xd0, 0x0f]))
    expect(
      decodeEnvelope(envelope('coordination.k8s.io/v1', 'Lease', field(2, field(1, 'me'), number(2, 15), renewed))),
    ).toMatchObject({
      spec: { holderIdentity: 'me', leaseDurationSeconds: 15, renewTime: '2025-05-02T23:44:48.000002Z' },
    })
  })

  test('carries quantities', () => {
    const requests = field(2, field(1, 'storage'), field(2, field(1, '1Gi')))
    expect(
      decodeEnvelope(envelope('v1', 'PersistentVolumeClaim', field(2, field(1, 'ReadWriteOnce'), field(2, requests)))),
    ).toMatchObject({
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
  })

  test.each([
    ['no prefix', Buffer.from('{}')],
    ['an unknown kind', envelope('v1', 'Pod')],
    ['a cut message', envelope('v1', 'ConfigMap', field(1, 'x').subarray(0, 2))],
    ['a number for a message', envelope('v1', 'ConfigMap', number(1, 1))],
  ])('with %s is refused', (_, bytes) => expect(() => decodeEnvelope(bytes)).toThrow(WireError))

  test('of any bytes is decoded or refused', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('Event', 'Lease', 'PersistentVolumeClaim'),
        (bytes, kind) => {
          try {
            decodeEnvelope(envelope('v1', kind, Buffer.from(bytes)))
          } catch (error) {
            expect(error).toBeInstanceOf(WireError)
          }
        },
      ),
    )
  })
})
