import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { noteFailure, type Trail } from '../audit/trail.ts'
import { type Answer, failureAnswer, pageNotFound } from './answer.ts'
import { attributesOfPath, verbOf } from './authorize.ts'
import { type Handler, uriTooLong, urlLimit } from './handler.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'
import { parseResourcePath } from './request-path.ts'
import { openStream } from './stream.ts'
import { openWatchSocket } from './watch-socket.ts'
import { offeredProtocols } from './websocket-protocols.ts'

/** An HTTP/1.1 connection that asks to be something else. */
export interface Upgrade {
  request: IncomingMessage
  socket: Duplex
  /** What came after the request. */
  head: Buffer
}

/**
 * Answers a request to change the protocol: it becomes a WebSocket on a stream, or belongs to a raw route, or is refused
 * as any other request is. Never throws, and takes care of the socket. URL and `Authorization` are looked at as they are
 * now, so that whatever stands before the API can put in what they are to be; it has checked `Origin` if it goes by
 * cookies. Resolves with the code of the answer.
 */
export async function upgrade(handler: Handler, asked: Upgrade): Promise<number> {
  const { socket } = asked
  const began = performance.now()
  const facts = { verb: '', group: '', resource: '', subresource: '' }
  socket.on('error', () => socket.destroy())
  const trail = handler.beginTrail(asked.request, randomUUID())
  let refusal: Answer | undefined
  try {
    refusal = await take(handler, asked, facts, trail)
    if (trail && !refusal) trail.stage = 'ResponseStarted'
  } catch (error) {
    noteFailure(trail, error)
    refusal = failureAnswer(error)
    if (refusal.code === 500) handler.log.error({ err: error, ...facts }, 'upgrade failed')
  }
  if (refusal) refuseUpgrade(socket, refusal)
  const code = refusal?.code ?? 101
  handler.answered({ ...facts, code, seconds: (performance.now() - began) / 1_000 })
  handler.endTrail(trail, code, socket)
  return code
}

async function take(
  handler: Handler,
  asked: Upgrade,
  facts: ReturnType<Handler['factsOf']>,
  trail: Trail | undefined,
): Promise<Answer | undefined> {
  const { url = '/', headers, rawHeaders, socket } = asked.request
  if (url.length > urlLimit) return uriTooLong()
  const [path = '/'] = url.split('?', 1)
  const query = new URLSearchParams(url.slice(path.length + 1))
  const { protocols, token } = offeredProtocols(headers['sec-websocket-protocol'])
  const { authorization = token === undefined ? undefined : `Bearer ${token}` } = headers
  const sender = {
    headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
    rawHeaders,
    socket,
  }
  const wanted = attributesOfPath('GET', path, query)
  const route = handler.rawRoute(path, 'upgrade')
  if (route?.upgrade) {
    await route.upgrade({ ...asked, path, query, user: handler.userOfRoute(route, sender, wanted, trail) })
    return undefined
  }
  const caller = handler.callerOf(sender, trail)
  const resourcePath = parseResourcePath(path)
  if (resourcePath) {
    const stream = { ...asked, path: resourcePath, query, protocols, sender, caller, trail }
    // What is a stream is one whatever the query says.
    const watches = !handler.streamOf(resourcePath) && verbOf('GET', resourcePath, query) === 'watch'
    Object.assign(facts, handler.factsOf(resourcePath, watches ? 'watch' : 'get'))
    return watches ? openWatchSocket(handler, stream) : openStream(handler, stream)
  }
  handler.authorize(caller.user, wanted, trail)
  return pageNotFound()
}
