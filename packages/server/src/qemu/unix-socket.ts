import { createConnection, type Socket } from 'node:net'

/** Linux keeps a socket's path in 108 bytes, the last of which is a zero. */
export const maxSocketPathBytes = 107

/** Why this path cannot be a socket's address; undefined when it can. */
export function whyNotSocketPath(path: string): string | undefined {
  const length = Buffer.byteLength(path)
  if (!path.startsWith('/')) return `socket path ${JSON.stringify(path)} is not absolute`
  if (length > maxSocketPathBytes)
    return `socket path ${path} has ${length} bytes, Linux allows ${maxSocketPathBytes}; choose a shorter runtime folder`
  if (!/^[\w./@:+-]+$/.test(path))
    return `socket path ${JSON.stringify(path)} may only contain letters, digits and . _ / @ : + -`
  return undefined
}

export interface ConnectOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Connects to a unix socket within a time limit. The error keeps the system's `code` (ENOENT, ECONNREFUSED, ...). */
export function connectUnix(path: string, { timeoutMs, signal }: ConnectOptions): Promise<Socket> {
  const why = whyNotSocketPath(path)
  if (why) return Promise.reject(new Error(why))
  if (signal?.aborted) return Promise.reject(new Error(`connect to ${path}: aborted`, { cause: signal.reason }))
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path })
    const timer = setTimeout(() => fail(new Error(`connect to ${path}: no answer within ${timeoutMs} ms`)), timeoutMs)
    const onAbort = () => fail(new Error(`connect to ${path}: aborted`, { cause: signal?.reason }))
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', fail)
      socket.off('connect', connected)
    }
    const fail = (err: Error) => {
      settle()
      // Destroying may still report an error; nobody is interested any more.
      socket.on('error', () => {})
      socket.destroy()
      reject(err)
    }
    const connected = () => {
      settle()
      resolve(socket)
    }
    socket.once('connect', connected)
    socket.once('error', fail)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
