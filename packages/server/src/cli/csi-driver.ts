import { resolve } from 'node:path'
import { startLayersDriver } from '../layers/driver.ts'
import { loggerFor } from './logger.ts'
import { firstSignal } from './signals.ts'

/** Runs the layered driver as a plain CSI server until a signal. */
export async function csiDriver(options: { endpoint: string; dataDir: string; logLevel: string }): Promise<void> {
  if (!options.endpoint.startsWith('unix:///'))
    throw new Error(`--endpoint '${options.endpoint}' is not a Unix socket; for example unix:///run/csi/layers.sock`)
  const stop = firstSignal('SIGTERM', 'SIGINT')
  const log = loggerFor(options.logLevel)
  const driver = await startLayersDriver({ endpoint: options.endpoint, dataDir: resolve(options.dataDir), log })
  process.stdout.write(`stillpoint csi-driver is ready: ${options.endpoint}\n`)
  await stop
  await driver.close()
}
