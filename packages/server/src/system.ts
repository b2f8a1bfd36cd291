import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { cloneAdmission } from '@stillpoint/api/clone/admission'
import { kinds } from '@stillpoint/api/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import type { Logger } from 'pino'
import { type ApiServer, startApiServer } from './apiserver/api-server.ts'
import type { RawHandler, StreamHandler, SubresourceHandler } from './apiserver/http/extensions.ts'
import { writePrivate } from './apiserver/pki/private-file.ts'
import { lockDataDir } from './cli/data-dir.ts'
import type { Role } from './cli/roles.ts'
import { cloneControllers } from './clone/controllers.ts'
import { newNameSuffix } from './clone/name-suffix.ts'
import type { ControllerContext, RunningController } from './controller/context.ts'
import { CsiClient } from './csi/client.ts'
import { KubeClient } from './kube/client.ts'
import { Informers } from './kube/informers.ts'
import { type Connection, Transport } from './kube/transport.ts'
import { startLayersDriver } from './layers/driver.ts'
import { accountMetrics } from './layers/metrics.ts'
import { machineAdmission } from './machine/admission.ts'
import { machineControllers } from './machine/machine-controllers.ts'
import { Metrics, metricsContentType } from './metrics/metrics.ts'
import { queueMetrics } from './metrics/queues.ts'
import { measureRestores } from './metrics/restores.ts'
import { measureSnapshots } from './metrics/snapshots.ts'
import { restoreControllers } from './restore/controllers.ts'
import { snapshotControllers } from './snapshot/controllers.ts'
import { volumeAdmission } from './volume/admission.ts'
import { sourceRights } from './volume/source-rights.ts'
import { volumeControllers } from './volume/volume-controllers.ts'
import { builtBundle } from './web/bundle.ts'
import { Console } from './web/console.ts'
import { embeddedBackend } from './web/embedded-backend.ts'
import type { Identity } from './web/identity.ts'
import { linkUrl } from './web/links.ts'
import { whoIs } from './web/who-is.ts'
import { type RunningWebhook, type WebhookOptions, webhook } from './webhook/webhook.ts'

// Everything is put together here and nowhere else: the API server, the storage driver and the controllers meet
// only through the Kubernetes API and the CSI socket.

/** The rules of our own kinds: built in here, a webhook elsewhere. */
const ruleSet = [...snapshotAdmission, ...cloneAdmission(newNameSuffix)]

interface Parts {
  dataDir: string
  roles: ReadonlySet<Role>
  importDirs: readonly string[]
  accel: 'auto' | 'kvm' | 'tcg'
  /** False: nothing that is not running already is started. */
  startMachines?: boolean
  log: Logger
}

export interface SystemOptions extends Parts {
  listen: { host: string; port: number }
  /** Names the web console is reached by, beside those of the loopback and the address to listen on. */
  consoleHosts?: readonly string[]
  /** The folder of the built web console; that of this project when absent. */
  consoleDir?: string
  now?: () => Date
}

export interface System {
  url: string
  ca: string
  token: string
  kubeconfigFile: string
  /** A one-time address that signs the administrator in to the web console; undefined when it is not served. */
  consoleLink(): string | undefined
  /** Shuts all virtual machines down, politely first; none is started again by this system. */
  stopMachines(): Promise<void>
  /** Ends the server. Virtual machines go on running. */
  close(): Promise<void>
}

/** Runs the one-machine system on a data directory, which it holds until closed. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { dataDir, roles, log } = options
  if (roles.has('machine') || roles.has('volume')) requireQemu()
  if (!roles.has('apiserver'))
    throw new Error(
      "--roles without apiserver: use 'stillpoint controllers --kubeconfig FILE' to join another API server",
    )
  const lock = lockDataDir(dataDir)
  const closing: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const step of closing.toReversed()) await step()
    lock.release()
  }
  try {
    const subresources = new Map<string, SubresourceHandler>()
    const streams = new Map<string, StreamHandler>()
    const routes = new Map<string, RawHandler>()
    const metrics = new Metrics()
    const reached = Promise.withResolvers<Connection>()
    let webConsole: Console | undefined
    const api = await startApiServer({
      dataDir: directory(dataDir, 'api'),
      listen: options.listen,
      resources: kinds,
      admission: [...ruleSet, ...machineAdmission, ...sourceRights, ...volumeAdmission],
      subresources,
      streams,
      routes,
      front: (api) => {
        if (!roles.has('console')) return api
        const askWho = async (identity: Identity) => whoIs(await reached.promise, identity)
        webConsole = new Console({
          backend: embeddedBackend({ api, whoIs: askWho }),
          dist: options.consoleDir ?? builtBundle,
          hosts: { listen: options.listen.host, names: options.consoleHosts ?? [] },
          secure: true,
          elsewhere: api,
          now: options.now ?? (() => new Date()),
          log: log.child({ part: 'console' }),
        })
        return webConsole
      },
      auditDir: join(dataDir, 'audit'),
      answered: ({ code, seconds, ...labels }) => {
        metrics.serverRequests.inc({ ...labels, code: `${code}` })
        if (labels.verb !== 'watch') metrics.serverRequestDuration.observe({ verb: labels.verb }, seconds)
      },
      log: log.child({ part: 'apiserver' }),
    })
    closing.push(() => api.close())
    closing.push(async () => webConsole?.close())
    reached.resolve({ server: api.url, ca: api.ca, authorize: () => ({}) })
    const kubeconfigFile = join(dataDir, 'kubeconfig')
    await writePrivate(kubeconfigFile, api.adminKubeconfig)

    const endpoint = `unix://${join(directory(dataDir, 'csi'), 'layers.sock')}`
    let storageMetrics = async (): Promise<string> => ''
    if (roles.has('volume') || roles.has('machine')) {
      const driver = await startLayersDriver({
        endpoint,
        dataDir: directory(dataDir, 'volumes'),
        log: log.child({ part: 'layers' }),
      })
      closing.push(() => driver.close())
      storageMetrics = async () => accountMetrics(await driver.account())
    }
    routes.set('/metrics', {
      handle: async ({ response }) => {
        response.setHeader('content-type', metricsContentType)
        response.end((await metrics.text()) + (await storageMetrics()))
      },
    })
    const controllers = await startControllers({
      ...options,
      connection: connectionOf(api),
      csiEndpoints: [endpoint],
      subresources,
      streams,
      routes,
      metrics,
    })
    closing.push(() => controllers.close())
    lock.announce({ pid: process.pid, url: api.url })
    return {
      url: api.url,
      ca: api.ca,
      token: api.controllerToken,
      kubeconfigFile,
      consoleLink: () => {
        const link = webConsole?.link({ kind: 'token', token: api.adminToken })
        return link && linkUrl(api.url, link.code)
      },
      stopMachines: controllers.stopMachines,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

export interface ControllersOptions extends Parts {
  connection: Connection
  csiEndpoints: readonly string[]
  /** Where the machine controllers offer their actions; absent when another API server answers those. */
  subresources?: Map<string, SubresourceHandler>
  /** The same for their streams. */
  streams?: Map<string, StreamHandler>
  metrics: Metrics
  /** Where the volume controllers offer uploads. */
  routes?: Map<string, RawHandler>
  /** Answers another API server's questions about admission; ours has the same rules built in. */
  webhook?: Omit<WebhookOptions, 'rules'> | undefined
}

export interface Controllers {
  webhook: RunningWebhook | undefined
  stopMachines(): Promise<void>
  close(): Promise<void>
}

/** Runs the named controllers against an API, ours or a cluster's. */
export async function startControllers(options: ControllersOptions): Promise<Controllers> {
  const { roles, log, dataDir, metrics } = options
  const transport = new Transport(options.connection, (method, code) =>
    metrics.clientRequests.inc({ method, code: code === undefined ? '<error>' : `${code}` }),
  )
  const client = new KubeClient(transport)
  const informers = new Informers(client, log)
  const csi = new Map<string, CsiClient>()
  const running: RunningController[] = []
  const now = (): Date => new Date()
  const queues = queueMetrics(metrics)
  const context = (part: string): ControllerContext => ({ client, informers, log: log.child({ part }), now, queues })
  let stopMachines = async (): Promise<void> => {}
  const close = async (): Promise<void> => {
    for (const controller of running.toReversed()) await controller.close()
    await informers.close()
    for (const driver of csi.values()) driver.close()
    transport.close()
  }
  try {
    if (roles.has('volume') || roles.has('machine'))
      for (const endpoint of options.csiEndpoints) {
        const driver = CsiClient.connect(endpoint, { timeoutMs: 10_000 })
        csi.set(await driver.driverName(), driver)
      }
    if (roles.has('volume')) {
      const volume = volumeControllers(context('volume'), {
        dataDir: directory(dataDir, 'fill'),
        csi,
        importDirs: options.importDirs,
        ...(options.routes ? { uploadUrl: options.connection.server } : {}),
      })
      running.push(volume)
      for (const [prefix, handler] of volume.routes) options.routes?.set(prefix, handler)
    }
    if (roles.has('machine')) {
      const machine = machineControllers(context('machine'), {
        dataDir: directory(dataDir, 'machines'),
        csi,
        accel: options.accel,
      })
      running.push(machine)
      stopMachines = () => machine.stopAll()
      for (const [key, handler] of machine.subresources) options.subresources?.set(key, handler)
      for (const [key, handler] of machine.streams) options.streams?.set(key, handler)
    }
    if (roles.has('snapshot')) {
      running.push(snapshotControllers(context('snapshot')))
      measureSnapshots(informers, metrics, now)
    }
    if (roles.has('restore')) {
      running.push(restoreControllers(context('restore')))
      measureRestores(informers, metrics, now)
    }
    if (roles.has('clone')) running.push(cloneControllers(context('clone')))
    const startWebhook = options.webhook && webhook(context('webhook'), { ...options.webhook, rules: ruleSet })
    await informers.start()
    const served = await startWebhook?.()
    if (served !== undefined) running.push(served)
    return { webhook: served, stopMachines, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Better now, with the remedy, than later in the condition of the first machine. */
function requireQemu(): void {
  const folders = (process.env.PATH ?? '').split(delimiter)
  for (const [program, debianPackage] of [
    ['qemu-system-x86_64', 'qemu-system-x86'],
    ['qemu-img', 'qemu-utils'],
  ] as const)
    if (!folders.some((folder) => existsSync(join(folder, program))))
      throw new Error(
        `QEMU is missing: there is no ${program} on the PATH; install it (Debian: apt-get install ${debianPackage}), or start without it by --roles apiserver,snapshot,restore,clone`,
      )
}

function connectionOf(api: ApiServer): Connection {
  const headers = { authorization: `Bearer ${api.controllerToken}` }
  return { server: api.url, ca: api.ca, authorize: () => headers }
}

function directory(parent: string, name: string): string {
  const dir = join(parent, name)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return dir
}
