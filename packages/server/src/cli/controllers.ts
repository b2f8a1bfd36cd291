import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { KubeClient } from '../kube/client.ts'
import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { LeaderElector } from '../kube/leader-elector.ts'
import { type Connection, Transport } from '../kube/transport.ts'
import { listenForMetrics } from '../metrics/listener.ts'
import { Metrics } from '../metrics/metrics.ts'
import { type Controllers, startControllers } from '../system.ts'
import { dataDirOf } from './data-dir.ts'
import { parseListen } from './listen-address.ts'
import { loggerFor } from './logger.ts'
import type { Role } from './roles.ts'
import { firstSignal } from './signals.ts'
import { type WebhookFlags, webhookOptions } from './webhook-options.ts'

export interface ControllersOptions extends WebhookFlags {
  kubeconfig: string
  controllers: Role[]
  dataDir?: string
  csi: string[]
  leaderElect: 'true' | 'false'
  leaderElectNamespace: string
  leaderElectResourceName: string
  logLevel: string
  metricsListen?: string
}

/** Runs controllers against the API a kubeconfig names, until a signal; of several processes one at a time. */
export async function controllers(options: ControllersOptions): Promise<void> {
  const stop = firstSignal('SIGTERM', 'SIGINT')
  const log = loggerFor(options.logLevel)
  const address =
    options.metricsListen === undefined ? undefined : parseListen(options.metricsListen, '--metrics-listen', 9_090)
  const connection = await connectionFromKubeconfig(options.kubeconfig)
  const webhook = await webhookOptions(options)
  const metrics = new Metrics()
  // Before the controllers, so that their start can be watched, and an address that is taken is told at once.
  const listener = address === undefined ? undefined : await listenForMetrics(metrics, address)
  const run = async (): Promise<void> => {
    const running = await startControllers({
      connection,
      metrics,
      roles: new Set(options.controllers),
      dataDir: dataDirOf(options.dataDir),
      csiEndpoints: options.csi,
      importDirs: [],
      accel: 'auto',
      webhook,
      log,
    })
    const measured = listener === undefined ? '' : `, metrics at ${listener.url}`
    say(
      `stillpoint controllers are ready: ${options.controllers.join(', ') || 'none'} on ${connection.server}${measured}`,
    )
    if (running.webhook !== undefined) say(webhookLine(running.webhook, webhook?.target !== undefined))
    await stop
    await running.close()
  }
  try {
    if (isElected(options)) await asLeader(options, { connection, log, stop, run })
    else await run()
  } finally {
    await listener?.close()
  }
}

/** Machines and volumes belong to the host they are on: nobody else could take over. */
function isElected({ leaderElect, controllers }: ControllersOptions): boolean {
  return (
    leaderElect === 'true' && controllers.some((role) => role === 'snapshot' || role === 'restore' || role === 'clone')
  )
}

async function asLeader(
  { leaderElectNamespace: namespace, leaderElectResourceName: name }: ControllersOptions,
  {
    connection,
    log,
    stop,
    run,
  }: { connection: Connection; log: Logger; stop: Promise<unknown>; run: () => Promise<void> },
): Promise<void> {
  const transport = new Transport(connection)
  const identity = `${hostname()}_${randomUUID()}`
  const elector = new LeaderElector({ client: new KubeClient(transport), namespace, name, identity, log })
  const stopping = new AbortController()
  void stop.then(() => stopping.abort())
  try {
    const waiting = (holder: string) =>
      say(`stillpoint controllers wait: ${holder} holds the lease ${namespace}/${name}`)
    if (!(await elector.acquire(stopping.signal, waiting))) return
    // Nothing may be done any more, not even to end politely: another process leads, or is about to.
    void elector.lost.then((reason) => {
      process.stderr.write(`stillpoint: ${reason}; ending, to be started again\n`)
      process.exit(1)
    })
    await run()
  } finally {
    await elector.release()
    transport.close()
  }
}

function webhookLine({ port, ca }: NonNullable<Controllers['webhook']>, registered: boolean): string {
  if (registered) return `webhook on port ${port}, and the API server is told to ask it`
  const bundle = ca === undefined ? 'as signed by its authority' : Buffer.from(ca).toString('base64')
  return `webhook on port ${port}; nobody is told to ask it. caBundle: ${bundle}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
