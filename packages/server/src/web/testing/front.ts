import { pino } from 'pino'
import { Listener } from '../../apiserver/http/listener.ts'
import type { Connection } from '../../kube/transport.ts'
import { Console, type ConsoleOptions } from '../console.ts'
import { RemoteBackend } from '../remote-backend.ts'

export interface Front {
  url: string
  console: Console
  close(): Promise<void>
}

/** What tests of the console have in common. */
export const consoleDefaults = {
  hosts: { listen: '127.0.0.1', names: ['console.example.com'] },
  now: () => new Date(),
  log: pino({ level: 'silent' }),
} satisfies Partial<ConsoleOptions>

/** A console on a free port before another API; over plain HTTP without a certificate. */
export async function startFront(
  connection: Connection,
  {
    certificate,
    ...options
  }: Pick<ConsoleOptions, 'dist'> & Partial<ConsoleOptions> & { certificate?: { cert: string; key: string } },
): Promise<Front> {
  const secure = certificate !== undefined
  const backend = new RemoteBackend(connection)
  const served = new Console({ ...consoleDefaults, backend, secure, ...options })
  const listener = new Listener(served, certificate)
  const port = await listener.listen('127.0.0.1', 0)
  return {
    url: `${secure ? 'https' : 'http'}://127.0.0.1:${port}`,
    console: served,
    close: async () => {
      served.close()
      await listener.close()
    },
  }
}
