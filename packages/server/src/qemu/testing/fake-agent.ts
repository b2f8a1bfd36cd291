import type { Socket } from 'node:net'
import { type UnixServer, unixServer } from './unix-server.ts'

type Request = { execute: string; arguments?: { id?: number } }
/** Bytes to send instead of the proper reply; undefined for no reply at all. */
export type Answer = { bytes: string | Buffer } | { value: unknown } | { error: string } | 'silence' | 'proper'

export interface FakeAgent extends UnixServer {
  frozen: boolean
  readonly log: string[]
  /** How to answer, by command; asked before each reply. */
  answer: (command: string) => Answer
  send(bytes: string | Buffer): void
}

/** A guest agent that behaves like qemu-ga: serial, 0xFF before a delimited sync, refusals while frozen. */
export async function fakeAgent(): Promise<FakeAgent> {
  let current: Socket | undefined
  const server = await unixServer((socket) => {
    current = socket
    let text = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      text = Buffer.concat([text, chunk])
      for (let end = text.indexOf(10); end !== -1; end = text.indexOf(10)) {
        const line = text.subarray(0, end)
        text = text.subarray(end + 1)
        const start = line.lastIndexOf(0xff) + 1
        // The delimiter ends half a message, which the agent reports as an error.
        if (start > 0) socket.write('{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n')
        handle(socket, JSON.parse(line.subarray(start).toString()) as Request)
      }
    })
  })
  const agent: FakeAgent = {
    ...server,
    frozen: false,
    log: [],
    answer: () => 'proper',
    send: (bytes) => {
      current?.write(bytes)
    },
  }
  return agent

  function handle(socket: Socket, request: Request): void {
    agent.log.push(request.execute)
    const answer = agent.answer(request.execute)
    if (answer === 'silence') return
    if (answer === 'proper') proper(socket, request)
    else if ('bytes' in answer) socket.write(answer.bytes)
    else if ('value' in answer) reply(socket, answer.value)
    else socket.write(`${JSON.stringify({ error: { class: 'GenericError', desc: answer.error } })}\n`)
  }

  function proper(socket: Socket, { execute, arguments: args }: Request): void {
    switch (execute) {
      case 'guest-sync-delimited':
        socket.write(Buffer.concat([Buffer.from([0xff]), Buffer.from(`{"return": ${args?.id}}\n`)]))
        return
      case 'guest-fsfreeze-status':
        reply(socket, agent.frozen ? 'frozen' : 'thawed')
        return
      case 'guest-fsfreeze-thaw': {
        const count = agent.frozen ? 3 : 0
        agent.frozen = false
        reply(socket, count)
        return
      }
    }
    if (agent.frozen && execute !== 'guest-ping' && execute !== 'guest-info') {
      const desc = `Command ${execute} has been disabled: the agent is in frozen state`
      socket.write(`${JSON.stringify({ error: { class: 'CommandNotFound', desc } })}\n`)
      return
    }
    if (execute === 'guest-fsfreeze-freeze') agent.frozen = true
    reply(socket, execute === 'guest-fsfreeze-freeze' ? 3 : {})
  }

  function reply(socket: Socket, value: unknown): void {
    socket.write(`${JSON.stringify({ return: value })}\n`)
  }
}
