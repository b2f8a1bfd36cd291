import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { beyond, fromLineStart, replayable } from './replay.ts'

const replayed = (text: string) => replayable(Buffer.from(text)).toString()

describe('what is shown once more', () => {
  test.each([
    ['where the cursor is', '\x1b[6n'],
    ['where the cursor is, as DEC asks', '\x1b[?6n'],
    ['which terminal it is', '\x1b[c'],
    ['which terminal it is, in the second way', '\x1b[>0c'],
    ['which terminal it is, in the oldest way', '\x1bZ'],
    ['for the answerback', '\x05'],
    ['how large the window is', '\x1b[18t'],
    ['whether a mode is set', '\x1b[?2004$p'],
    ['for its version', '\x1b[>q'],
    ['for the keyboard protocol', '\x1b[?u'],
    ['for a colour', '\x1b]11;?\x07'],
    ['for the clipboard', '\x1b]52;c;?\x1b\\'],
    ['for a setting', '\x1bP$qm\x1b\\'],
    ['with 8-bit controls in UTF-8', '\u009b6n'],
  ])('does not ask %s', (_, question) => {
    expect(replayed(`before ${question} after`)).toBe('before \x18 after')
  })

  test.each([
    ['colours', '\x1b[1;32mok\x1b[0m'],
    ['cursor moves', '\x1b[2J\x1b[H\x1b[10;20Hx\x1b[K'],
    ['a saved cursor', '\x1b[s\x1b[u\x1b7\x1b8'],
    ['the shape of the cursor', '\x1b[2 q'],
    ['modes', '\x1b[?1049h\x1b[?25l\x1b[4h'],
    ['scrolling', '\x1b[3S\x1b[1;20r'],
    ['names of any script', 'ÜbÅr 名前 login: \r\n'],
  ])('still has %s', (_, text) => {
    expect(replayed(text)).toBe(text)
  })

  test('holds no question, whatever was written', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\x1b', '[', '6', 'n', '\x05', ']', '?', '\x07', '\x1b\\', 'c', '\x9b', 'Z', 'P', '$', 'p', '>'),
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const once = replayed(pieces.join(''))
        expect(replayed(once)).toBe(once)
        for (const question of ['\x1b[6n', '\x1b[c', '\x05', '\x1bZ']) expect(once).not.toContain(question)
      }),
    )
  })

  test('takes no longer for a text made to take long', () => {
    const began = performance.now()
    for (const part of ['\x1b[0', '\x1b]', '\x1b[$', '\x9b;', '\x1bP\x1b'])
      replayable(Buffer.from(part.repeat(65_536), 'latin1'))
    expect(performance.now() - began).toBeLessThan(3_000)
  })
})

test('a tail begins with a line', () => {
  expect(fromLineStart(Buffer.from('5;32mgreen\nlogin: ')).toString()).toBe('login: ')
  expect(fromLineStart(Buffer.from('one long line')).toString()).toBe('one long line')
})

describe('what was received beyond a log', () => {
  test.each([
    ['nothing was received', 'abc', '', ''],
    ['nothing was logged', '', 'abc', 'abc'],
    ['all of it is in the log', 'abc', 'bc', ''],
    ['some of it is', 'abc', 'bcde', 'de'],
    ['none of it is', 'abc', 'xyz', 'xyz'],
    ['the log is shorter', 'c', 'cd', 'd'],
    ['it repeats', 'aab', 'aabaab', 'aab'],
  ])('is known when %s', (_, logged, received, expected) => {
    expect(beyond(Buffer.from(logged), Buffer.from(received)).toString()).toBe(expected)
  })

  test('is what the longest overlap leaves', () => {
    const few = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
    fc.assert(
      fc.property(few, few, (logged, received) => {
        let overlap = Math.min(logged.length, received.length)
        while (!logged.endsWith(received.slice(0, overlap))) overlap--
        expect(beyond(Buffer.from(logged), Buffer.from(received)).toString()).toBe(received.slice(overlap))
      }),
    )
  })

  test('is found as fast in what repeats almost', () => {
    const logged = Buffer.alloc(64 * 1024, 'a')
    const received = Buffer.alloc(1024 * 1024, 'a')
    received[64 * 1024 - 2] = 98
    const began = performance.now()
    expect(beyond(logged, received).length).toBe(1024 * 1024 - 64 * 1024 + 2)
    expect(performance.now() - began).toBeLessThan(3_000)
  })
})
