import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { listenForMetrics } from '../metrics/listener.ts'
import { Metrics } from '../metrics/metrics.ts'
import { startControllers } from '../system.ts'
import { dataDirOf } from './data-dir.ts'
import { parseListen } from './listen-address.ts'
import { loggerFor } from './logger.ts'
import type { Role } from './roles.ts'
import { firstSignal } from './signals.ts'

export interface ControllersOptions {
  kubeconfig: string
  controllers: Role[]
  dataDir?: string
  csi: string[]
  logLevel: string
  metricsListen?: string
}

/** Runs controllers against the API a kubeconfig names, until a signal. */
export async function controllers(options: ControllersOptions): Promise<void> {
  const stop = firstSignal('SIGTERM', 'SIGINT')
  const log = loggerFor(options.logLevel)
  const address =
    options.metricsListen === undefined ? undefined : parseListen(options.metricsListen, '--metrics-listen', 9_090)
  const connection = await connectionFromKubeconfig(options.kubeconfig)
  const metrics = new Metrics()
  // Before the controllers, so that their start can be watched, and an address that is taken is told at once.
  const listener = address === undefined ? undefined : await listenForMetrics(metrics, address)
  try {
    const running = await startControllers({
      connection,
      metrics,
      roles: new Set(options.controllers),
      dataDir: dataDirOf(options.dataDir),
      csiEndpoints: options.csi,
      importDirs: [],
      accel: 'auto',
      log,
    })
    const measured = listener === undefined ? '' : `, metrics at ${listener.url}`
    process.stdout.write(
      `stillpoint controllers are ready: ${options.controllers.join(', ')} on ${connection.server}${measured}\n`,
    )
    await stop
    await running.close()
  } finally {
    await listener?.close()
  }
}
