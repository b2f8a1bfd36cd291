/**
 * What makes a terminal answer, or do more than show text: questions for position, kind, colours or modes (ECMA-48, and
 * XTerm Control Sequences), and strings to it. Seen a second time, each answer would be typed into the guest.
 */
const asks = new RegExp(
  [
    '\\x05',
    '\\x1bZ',
    // CSI … n, c, x, t, and u, q, p, y, S of the private kinds.
    '(?:\\x1b\\[|\\xc2\\x9b)(?:[0-?]*[ -/]*[ncxt]|[<-?][0-?]*[ -/]*[uqS]|[0-?]*[$*][py])',
    // OSC, DCS, SOS, PM and APC, with their ends.
    '(?:\\x1b[\\]PX^_]|\\xc2[\\x90\\x98\\x9d-\\x9f])[^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)',
  ].join('|'),
  'g',
)
/** Ends an unfinished sequence and shows nothing, so that what is left on both sides makes no new one. */
const cancel = '\x18'

/** Output of a terminal line made fit to be shown once more, as text: without what asks the terminal for an answer. */
export function replayable(output: Buffer): Buffer {
  return Buffer.from(output.toString('latin1').replace(asks, cancel), 'latin1')
}

/** The end of an output from the beginning of a line on, so that no sequence is begun in its middle. */
export function fromLineStart(tail: Buffer): Buffer {
  return tail.subarray(tail.indexOf('\n') + 1)
}

/** What has been received beyond the end of a log, into which the same output goes: the overlap is left out. */
export function beyond(logged: Buffer, received: Buffer): Buffer {
  // Knuth, Morris and Pratt: the longest beginning of one that is the end of the other, however often it repeats.
  const borders = new Int32Array(received.length)
  const advance = (matched: number, byte: number | undefined): number => {
    let length = matched
    while (length > 0 && received[length] !== byte) length = borders[length - 1] ?? 0
    return received[length] === byte ? length + 1 : length
  }
  for (let at = 1; at < received.length; at++) borders[at] = advance(borders[at - 1] ?? 0, received[at])
  let matched = 0
  for (const byte of logged.subarray(Math.max(0, logged.length - received.length))) matched = advance(matched, byte)
  return received.subarray(matched)
}
