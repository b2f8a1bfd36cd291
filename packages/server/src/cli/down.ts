import { setTimeout as sleep } from 'node:timers/promises'
import { startSystem } from '../system.ts'
import { dataDirOf, isHeld, ownerOf } from './data-dir.ts'
import { loggerFor } from './logger.ts'

export interface DownOptions {
  dataDir?: string
  timeout: string
  logLevel: string
}

/**
 * Stops the virtual machines in order, then the server. Where no server runs, one is started for as long as it
 * takes to find the virtual machines it left behind and stop them.
 */
export async function down(options: DownOptions): Promise<void> {
  const dir = dataDirOf(options.dataDir)
  const limitMs = Number(options.timeout) * 1_000
  if (!(limitMs > 0)) throw new Error(`--timeout '${options.timeout}' is not a number of seconds above 0`)
  if (!isHeld(dir)) {
    const system = await startSystem({
      dataDir: dir,
      listen: { host: '127.0.0.1', port: 0 },
      roles: new Set(['apiserver', 'machine', 'volume']),
      importDirs: [],
      accel: 'tcg',
      startMachines: false,
      log: loggerFor(options.logLevel),
    })
    await system.stopMachines()
    await system.close()
    process.stdout.write('no server was running; its virtual machines are stopped\n')
    return
  }
  const owner = ownerOf(dir)
  if (!owner) throw new Error(`the server of ${dir} is still starting; try again in a moment`)
  process.kill(owner.pid, 'SIGUSR2')
  const until = Date.now() + limitMs
  while (isHeld(dir)) {
    if (Date.now() > until)
      throw new Error(`process ${owner.pid} is still stopping virtual machines after ${options.timeout} s; see its log`)
    await sleep(100)
  }
  process.stdout.write('virtual machines and server are stopped\n')
}
