import { startSystem } from '../system.ts'
import { dataDirOf } from './data-dir.ts'
import { hostNames, parseListen } from './listen-address.ts'
import { loggerFor } from './logger.ts'
import type { Role } from './roles.ts'
import { firstSignal } from './signals.ts'

export interface UpOptions {
  dataDir?: string
  listen: string
  roles: Role[]
  importDir: string[]
  accel: 'auto' | 'kvm' | 'tcg'
  consoleHost: string[]
  logLevel: string
}

/** Runs the system until a signal: SIGTERM and SIGINT leave the virtual machines running, SIGUSR2 stops them first. */
export async function up(options: UpOptions): Promise<void> {
  const stop = firstSignal('SIGTERM', 'SIGINT', 'SIGUSR2')
  const log = loggerFor(options.logLevel)
  const system = await startSystem({
    dataDir: dataDirOf(options.dataDir),
    listen: parseListen(options.listen),
    roles: new Set(options.roles),
    importDirs: options.importDir,
    accel: options.accel,
    consoleHosts: hostNames(options.consoleHost),
    log,
  }).catch((error: unknown) => {
    if (hasCode(error, 'EADDRINUSE'))
      throw new Error(
        `${options.listen} is taken by another program; choose another --listen, or port 0 for a free one`,
      )
    throw error
  })
  process.stdout.write(`stillpoint is ready: API ${system.url}, kubeconfig ${system.kubeconfigFile}\n`)
  const link = system.consoleLink()
  if (link !== undefined) process.stdout.write(`console  ${link}\n`)
  const signal = await stop
  log.info({ signal }, 'stopping')
  if (signal === 'SIGUSR2') await system.stopMachines()
  await system.close()
}

function hasCode(error: unknown, code: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if ((at as NodeJS.ErrnoException).code === code) return true
  return false
}
