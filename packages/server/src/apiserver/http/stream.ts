import type { Trail } from '../audit/trail.ts'
import { type Answer, pageNotFound } from './answer.ts'
import { attributesOf } from './authorize.ts'
import { type Bridge, bridge } from './bridge.ts'
import type { Caller } from './caller.ts'
import type { ByteStream } from './extensions.ts'
import type { Handler, Sender } from './handler.ts'
import type { ResourcePath } from './request-path.ts'
import type { Upgrade } from './upgrade.ts'
import type { Right } from './watch-right.ts'
import { acceptWebSocket, mustBeWebSocket } from './web-socket.ts'
import { plainProtocol } from './websocket-protocols.ts'

/** Keys and pointer moves are small; the largest message is a text that somebody pastes. */
const messageLimitBytes = 1024 * 1024
const notAllowedCode = 1008
const goingAway = { code: 1001, reason: 'the server is closing' }

export interface StreamRequest extends Upgrade {
  path: ResourcePath
  query: URLSearchParams
  /** What the client would talk. */
  protocols: readonly string[]
  sender: Sender
  caller: Caller
  trail: Trail | undefined
}

/** Connects a WebSocket with the stream a path names. An answer, or what is thrown, is a refusal. */
export async function openStream(handler: Handler, asked: StreamRequest): Promise<Answer | undefined> {
  const { path, query, request, caller, sender } = asked
  // `get` in any case: a query that says `watch` must not make it a question of another right.
  const wanted = { ...attributesOf('GET', path, query), verb: 'get' }
  const { user } = caller
  handler.authorize(user, wanted, asked.trail)
  const open = handler.streamOf(path)
  if (!open) return pageNotFound()
  mustBeWebSocket(request)
  const leave = handler.enter('stream')
  try {
    const { version, namespace = '', resource, name = '', subresource = '' } = path
    const gone = new AbortController()
    asked.socket.once('close', () => gone.abort())
    const signal = AbortSignal.any([gone.signal, handler.closing])
    const stream = await open({ version, namespace, resource, name, subresource, query, user, signal })
    const { username } = user
    const log = handler.log.child({ stream: subresource, resource, namespace, name, user: username })
    const bridged = accept(asked, stream, (error) => log.warn({ err: error }, 'stream failed'))
    log.info('stream opened')
    const release = endWith(bridged, handler.closing, handler.rightOf(sender, caller, wanted))
    void bridged.ended.then((ending) => {
      release()
      leave()
      log.info(ending, 'stream closed')
    })
    return undefined
  } catch (error) {
    leave()
    throw error
  }
}

function accept(asked: StreamRequest, stream: ByteStream, onError: (error: Error) => void): Bridge {
  const protocol = asked.protocols.find((name) => name === plainProtocol)
  try {
    return acceptWebSocket(asked, { protocol, messageLimitBytes }, (ws) => bridge(ws, stream, { onError }))
  } catch (error) {
    stream.bytes.destroy()
    throw error
  }
}

/** Ends a stream when the server closes, or the right to it has gone. */
function endWith(bridged: Bridge, closing: AbortSignal, right: Right | undefined): () => void {
  const close = () => bridged.end(goingAway)
  if (closing.aborted) close()
  closing.addEventListener('abort', close)
  const look = () => {
    try {
      right?.check()
    } catch (error) {
      bridged.end({ code: notAllowedCode, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  const forget = right?.onChange(look)
  // Reaching the other end took a while.
  look()
  return () => {
    closing.removeEventListener('abort', close)
    forget?.()
  }
}
