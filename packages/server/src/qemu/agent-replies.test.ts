import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AgentReplyParser, type AgentToken, guestText } from './agent-replies.ts'

const limit = 64
const parse = (...chunks: (string | Buffer)[]) => {
  const parser = new AgentReplyParser(limit)
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)))
}

const cases: Record<string, [(string | Buffer)[], AgentToken[]]> = {
  'a reply in pieces is one reply': [['{"ret', 'urn": 1', '}\n'], [{ kind: 'reply', afterDelimiter: false, value: 1 }]],
  'a reply after 0xFF is marked, half a message before it is dropped': [
    ['{"retu', Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return": 7}\n')])],
    [{ kind: 'reply', afterDelimiter: true, value: 7 }],
  ],
  'an error carries class and description': [
    ['{"error": {"class": "GenericError", "desc": "no"}}\n'],
    [{ kind: 'error', errorClass: 'GenericError', desc: 'no' }],
  ],
  'an error without fields is still an error': [
    ['{"error": 1}\n'],
    [{ kind: 'error', errorClass: 'GenericError', desc: 'an error without description' }],
  ],
  'half JSON, a number and a list are garbage': [
    ['{"return": \n5\n[]\n'],
    [
      { kind: 'garbage', reason: 'a line that is no JSON' },
      { kind: 'garbage', reason: 'JSON that is no reply' },
      { kind: 'garbage', reason: 'JSON that is no reply' },
    ],
  ],
  'a line beyond the limit is reported once and skipped to its end': [
    ['x'.repeat(50), 'x'.repeat(50), 'x'.repeat(500), '\n{"return": {}}\n'],
    [
      { kind: 'garbage', reason: 'a reply longer than 64 bytes' },
      { kind: 'reply', afterDelimiter: false, value: {} },
    ],
  ],
}
test.each(Object.entries(cases))('%s', (_, [chunks, expected]) => expect(parse(...chunks)).toEqual(expected))

test('whatever a guest sends, in whatever pieces, the parser stays within its limit and understands what follows', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(`${text}\n`)),
    fc.constantFrom(Buffer.from('{"return": '), Buffer.from([0xff]), Buffer.from('\n'), Buffer.from('{"error": ')),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const parser = new AgentReplyParser(limit)
      for (const bytes of pieces) {
        parser.push(bytes)
        expect(parser.bufferedBytes).toBeLessThanOrEqual(limit)
      }
      const after = parser.push(Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return": 42}\n')]))
      expect(after).toEqual([{ kind: 'reply', afterDelimiter: true, value: 42 }])
    }),
    { numRuns: 500 },
  )
})

test('where the pieces are cut makes no difference', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (bytes, size) => {
      const whole = parse(Buffer.from(bytes))
      const parser = new AgentReplyParser(limit)
      const cut: AgentToken[] = []
      for (let at = 0; at < bytes.length; at += size) cut.push(...parser.push(Buffer.from(bytes.slice(at, at + size))))
      expect(cut).toEqual(whole)
    }),
  )
})

test('megabytes byte by byte cost little', () => {
  const parser = new AgentReplyParser(4 * 1024 * 1024)
  const byte = Buffer.from('x')
  for (let count = 0; count < 300_000; count++) parser.push(byte)
  expect(parser.bufferedBytes).toBe(300_000)
})

test.each([
  ['control characters and escapes become spaces', 'a\u0000b\u001b[31mc', 'a b [31mc'],
  ['overrides of the writing direction too', 'a\u202eb', 'a b'],
  ['what is no text becomes nothing', 5, ''],
  ['long text is cut', 'x'.repeat(3000), `${'x'.repeat(1023)}…`],
])('%s', (_, given, expected) => expect(guestText(given)).toBe(expected))
