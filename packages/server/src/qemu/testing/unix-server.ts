import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'

export interface UnixServer {
  readonly path: string
  readonly clients: Socket[]
  close(): Promise<void>
}

/** A unix socket in a folder of its own, for a stand-in of QEMU or of a guest. */
export async function unixServer(onClient: (socket: Socket) => void): Promise<UnixServer> {
  const dir = mkdtempSync('/tmp/spu-')
  const path = join(dir, 's')
  const clients: Socket[] = []
  const server = createServer((socket) => {
    clients.push(socket)
    socket.on('error', () => {})
    onClient(socket)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    path,
    clients,
    async close() {
      for (const socket of clients) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
