import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { startControllers } from '../system.ts'
import { dataDirOf } from './data-dir.ts'
import { loggerFor } from './logger.ts'
import type { Role } from './roles.ts'
import { firstSignal } from './signals.ts'

export interface ControllersOptions {
  kubeconfig: string
  controllers: Role[]
  dataDir?: string
  csi: string[]
  logLevel: string
}

/** Runs controllers against the API a kubeconfig names, until a signal. */
export async function controllers(options: ControllersOptions): Promise<void> {
  const stop = firstSignal('SIGTERM', 'SIGINT')
  const log = loggerFor(options.logLevel)
  const connection = await connectionFromKubeconfig(options.kubeconfig)
  const running = await startControllers({
    connection,
    roles: new Set(options.controllers),
    dataDir: dataDirOf(options.dataDir),
    csiEndpoints: options.csi,
    importDirs: [],
    accel: 'auto',
    log,
  })
  process.stdout.write(`stillpoint controllers are ready: ${options.controllers.join(', ')} on ${connection.server}\n`)
  await stop
  await running.close()
}
