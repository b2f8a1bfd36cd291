import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A wire between a browser and the server that can be cut, and put together again. */
export class Wire {
  readonly url: string
  readonly #server: Server
  readonly #sockets: Set<Socket>
  readonly #state: { cut: boolean }

  private constructor(protocol: string, server: Server, sockets: Set<Socket>, state: { cut: boolean }) {
    this.#server = server
    this.#sockets = sockets
    this.#state = state
    this.url = `${protocol}//127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** Leads to the server at this address. */
  static async to(url: string): Promise<Wire> {
    const { protocol, hostname, port } = new URL(url)
    const sockets = new Set<Socket>()
    const state = { cut: false }
    const server = createServer((near) => {
      if (state.cut) return near.destroy()
      const far = connect(Number(port), hostname)
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(socket)
        socket.on('error', () => other.destroy())
        socket.on('close', () => {
          sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
      return undefined
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Wire(protocol, server, sockets, state)
  }

  cut(): void {
    this.#state.cut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#state.cut = false
  }

  close(): void {
    this.cut()
    this.#server.close()
  }
}
