import type { WebSocket } from 'ws'
import type { Answer } from './answer.ts'
import { attributesOf } from './authorize.ts'
import type { Handler } from './handler.ts'
import type { StreamRequest } from './stream.ts'
import { streamWatch, type WatchSink } from './watch-stream.ts'
import { acceptWebSocket, mustBeWebSocket, watchLife } from './web-socket.ts'

/** Who watches has nothing to say. */
const messageLimitBytes = 4 * 1024
const normalCode = 1000

/**
 * A watch by WebSocket, an event a text message: browsers open only six connections by HTTP/1.1 to a server, and many more
 * of these (apiserver.md section 11.3). An answer, or what is thrown, is a refusal.
 */
export async function openWatchSocket(handler: Handler, asked: StreamRequest): Promise<Answer | undefined> {
  const { path, query, request, caller, sender, protocols } = asked
  const wanted = attributesOf('GET', path, query)
  handler.authorize(caller.user, wanted, asked.trail)
  mustBeWebSocket(request)
  const found = await handler.watchOf(request, path, query, caller.user)
  if ('answer' in found) return found.answer
  const right = handler.rightOf(sender, caller, wanted)
  // As Kubernetes does, whatever it is: clients give up a connection that agrees to none of what they offered.
  const [protocol] = protocols
  acceptWebSocket(asked, { protocol, messageLimitBytes }, (ws) =>
    streamWatch(socketSink(ws), { ...found.watch, signal: handler.closing, right }),
  )
  return undefined
}

function socketSink(ws: WebSocket): WatchSink {
  const lives = watchLife(ws, () => ws.terminate())
  // Too long a message, a broken frame: the library answers those itself, and closes.
  ws.on('error', () => {})
  return {
    write: (event) => ws.send(event, lives),
    get waitingBytes() {
      return ws.bufferedAmount
    },
    end: () => ws.close(normalCode),
    cut: () => ws.terminate(),
    onGone: (listener) => ws.on('close', listener),
  }
}
