import type { WebSocket } from 'ws'
import type { ByteStream } from './extensions.ts'
import { watchLife } from './web-socket.ts'

/** More than this waiting for the client, and nothing is read from the other end until it is nearly gone. */
const highBytes = 512 * 1024
const lowBytes = 64 * 1024
/** A close frame has room for this much. */
const reasonLimitBytes = 123
/** What a client may take to answer a close. */
const closeLimitMs = 5_000
const protocolErrorCode = 1002
const internalErrorCode = 1011
const policyCode = 1008
/** How a connection ends whose other side went away with something unread: no failure, an end. */
const endCodes: readonly unknown[] = ['ECONNRESET', 'EPIPE']

export interface Ending {
  code: number
  reason: string
}

export interface Bridge {
  /** Closes both ends; only the first call counts. */
  end(ending: Ending): void
  /** How it ended, once it has. */
  ended: Promise<Ending>
}

export interface BridgeOptions {
  /** Told of failures of the stream. */
  onError(error: Error): void
  /** A client that gives no sign of life for this long, and once more, is cut off. */
  pingEveryMs?: number | undefined
}

/**
 * Copies between a WebSocket and a stream of bytes, no faster than the slower of the two, until either ends: messages of
 * any kind in, binary messages out.
 */
export function bridge(ws: WebSocket, { bytes, ending }: ByteStream, options: BridgeOptions): Bridge {
  const ended = Promise.withResolvers<Ending>()
  let over: Ending | undefined

  let closeTimer: NodeJS.Timeout | undefined
  const finish = (how: Ending): void => {
    over = how
    bytes.destroy()
    closeTimer = setTimeout(() => ws.terminate(), closeLimitMs)
  }
  const end = (how: Ending): void => {
    if (over) return
    finish(how)
    // A paused socket would not see the client's answer to the close.
    if (ws.isPaused) ws.resume()
    ws.close(how.code, closeReason(how.reason))
  }
  const lives = watchLife(
    ws,
    () => {
      if (ws.isPaused) end({ code: policyCode, reason: 'what was sent has not been taken for too long' })
      else ws.terminate()
    },
    options.pingEveryMs,
  )
  const sent = (): void => {
    lives()
    if (bytes.isPaused() && ws.bufferedAmount <= lowBytes) bytes.resume()
  }

  bytes.on('data', (chunk: Buffer) => {
    ws.send(chunk, { binary: true }, sent)
    if (ws.bufferedAmount > highBytes) bytes.pause()
  })
  bytes.on('drain', () => {
    lives()
    if (ws.isPaused) ws.resume()
  })
  bytes.on('end', () => end(ending()))
  bytes.on('close', () => end(ending()))
  bytes.on('error', (error: NodeJS.ErrnoException) => {
    if (endCodes.includes(error.code)) return end(ending())
    options.onError(error)
    end({ code: internalErrorCode, reason: 'internal error' })
  })

  ws.on('message', (message: Buffer) => {
    lives()
    if (!over && !bytes.write(message)) ws.pause()
  })
  // Too long a message, a broken frame: the library answers those itself, and closes.
  ws.on('error', ({ message }) => {
    if (!over) finish({ code: protocolErrorCode, reason: message })
  })
  ws.on('close', (code: number, reason: Buffer) => {
    clearTimeout(closeTimer)
    over ??= { code, reason: reason.toString() }
    bytes.destroy()
    ended.resolve(over)
  })
  return { end, ended: ended.promise }
}

function closeReason(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, reasonLimitBytes)
}
