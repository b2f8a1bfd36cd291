/** What a guest's bytes amount to. A guest is not trusted: it may send anything, at any length, at any time. */
export type AgentToken =
  | { kind: 'reply'; afterDelimiter: boolean; value: unknown }
  | { kind: 'error'; errorClass: string; desc: string }
  | { kind: 'garbage'; reason: string }

const newline = 0x0a
// Never part of UTF-8 text: the agent puts it before the reply to guest-sync-delimited.
const delimiter = 0xff

/**
 * Reads the agent's side of the channel: one JSON object per line, 0xFF before the reply to a delimited sync.
 * Holds at most `limitBytes`; a longer line is dropped as it comes and reported once.
 */
export class AgentReplyParser {
  readonly #limitBytes: number
  #parts: Buffer[] = []
  #length = 0
  #discarding = false
  #afterDelimiter = false

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  /** Bytes held back until their line is complete. */
  get bufferedBytes(): number {
    return this.#length
  }

  push(chunk: Buffer): AgentToken[] {
    const tokens: AgentToken[] = []
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte !== newline && byte !== delimiter) continue
      this.#keep(chunk.subarray(start, at), tokens)
      start = at + 1
      if (byte === delimiter) {
        // Whatever stood before it is half a message of somebody who was interrupted.
        this.#reset()
        this.#afterDelimiter = true
      } else {
        this.#finishLine(tokens)
      }
    }
    this.#keep(chunk.subarray(start), tokens)
    return tokens
  }

  #keep(part: Buffer, tokens: AgentToken[]): void {
    if (part.length === 0 || this.#discarding) return
    if (this.#length + part.length > this.#limitBytes) {
      this.#reset()
      this.#discarding = true
      tokens.push({ kind: 'garbage', reason: `a reply longer than ${this.#limitBytes} bytes` })
      return
    }
    // A copy: the chunk belongs to a larger buffer, which a few bytes of half a line would otherwise keep alive.
    this.#parts.push(Buffer.from(part))
    this.#length += part.length
    // A guest may write byte by byte; the list of parts must not outgrow the bytes in it.
    if (this.#parts.length > 256) this.#parts = [Buffer.concat(this.#parts)]
  }

  #finishLine(tokens: AgentToken[]): void {
    const text = Buffer.concat(this.#parts).toString('utf8').trim()
    const afterDelimiter = this.#afterDelimiter
    const wasDiscarding = this.#discarding
    this.#reset()
    if (wasDiscarding || text === '') return
    tokens.push(readMessage(text, afterDelimiter))
  }

  #reset(): void {
    this.#parts = []
    this.#length = 0
    this.#discarding = false
    this.#afterDelimiter = false
  }
}

function readMessage(text: string, afterDelimiter: boolean): AgentToken {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { kind: 'garbage', reason: 'a line that is no JSON' }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'garbage', reason: 'JSON that is no reply' }
  if ('error' in value) {
    const error = value.error
    const fields: { class?: unknown; desc?: unknown } = typeof error === 'object' && error !== null ? error : {}
    return {
      kind: 'error',
      errorClass: guestText(fields.class, 100) || 'GenericError',
      desc: guestText(fields.desc, 500) || 'an error without description',
    }
  }
  if ('return' in value) return { kind: 'reply', afterDelimiter, value: value.return }
  return { kind: 'garbage', reason: 'JSON that is no reply' }
}

/** A guest's text made fit for logs, conditions and terminals: no control characters, no more than this length. */
export function guestText(value: unknown, maxLength = 1024): string {
  if (typeof value !== 'string') return ''
  // Cut first: cleaning a megabyte to keep a line of it would be the guest's joke on us.
  const clean = value.slice(0, maxLength * 2).replace(/[\p{Cc}\p{Cf}\p{Cs}]+/gu, ' ')
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean
}
