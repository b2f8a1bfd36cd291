// connecting ─► connected ─► waiting ─► connecting …       refused: by a right, until asked again
//      └──────────────────────┘ whoever looks at a guest that runs wants it back by itself

/** The subprotocol of KubeVirt's streams: bytes in binary messages. */
export const plainProtocol = 'plain.kubevirt.io'

export type SocketState =
  | { kind: 'connecting' }
  | { kind: 'connected' }
  /** Tried again by itself at that time, in milliseconds since 1970. */
  | { kind: 'waiting'; why: string; retryAtMs: number }
  | { kind: 'refused'; why: string }

const firstRetryMs = 500
const maxRetryMs = 10_000
/** The server's word for "you may not": no use in asking again. */
const policyCode = 1008

interface Options {
  url: (attempt: { again: boolean }) => string
  onData: (bytes: Uint8Array) => void
  onState: (state: SocketState) => void
}

/** A line to a guest that comes back by itself until it is closed. */
export class GuestSocket {
  readonly #options: Options
  #socket: WebSocket | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #connectedBefore = false
  #closed = false

  constructor(options: Options) {
    this.#options = options
    this.connect()
  }

  /** Connects now; does nothing while there is a connection. */
  connect(): void {
    if (this.#closed || this.#socket) return
    clearTimeout(this.#timer)
    this.#options.onState({ kind: 'connecting' })
    const socket = new WebSocket(this.#options.url({ again: this.#connectedBefore }), plainProtocol)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      this.#failures = 0
      this.#connectedBefore = true
      this.#options.onState({ kind: 'connected' })
    }
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) =>
      this.#options.onData(typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data))
    socket.onclose = ({ code, reason }) => {
      this.#socket = undefined
      if (this.#closed) return
      const why = closeReason(code, reason)
      if (code === policyCode) return this.#options.onState({ kind: 'refused', why })
      const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** this.#failures++)
      this.#options.onState({ kind: 'waiting', why, retryAtMs: Date.now() + waitMs })
      this.#timer = setTimeout(() => this.connect(), waitMs)
    }
    this.#socket = socket
  }

  /** Sends what was typed; without a connection it is lost, as on any line that is cut. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket?.close()
  }
}

/** Why a connection ended, in words for people. */
export function closeReason(code: number, reason: string): string {
  if (reason !== '') return `${reason[0]?.toUpperCase()}${reason.slice(1)}.`
  // A browser tells nothing of a refusal.
  return code === 1006
    ? 'The server did not accept the connection, or it broke.'
    : `The connection was closed (${code}).`
}
