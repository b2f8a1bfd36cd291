import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kinds } from '@stillpoint/api/kinds'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { type ObjectOf, objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { PersistentVolumeClaim, type PersistentVolumeClaimSpec, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import pino from 'pino'
import { type ApiServer, startApiServer } from '../../apiserver/api-server.ts'
import type { RawHandler } from '../../apiserver/http/extensions.ts'
import { KubeClient } from '../../kube/client.ts'
import { delay } from '../../kube/informer.ts'
import { Informers } from '../../kube/informers.ts'
import { Transport } from '../../kube/transport.ts'
import { volumeAdmission } from '../admission.ts'
import type { VolumeDriver } from '../driver.ts'
import { layersDriver } from '../keys.ts'
import { type RunningVolumeControllers, type VolumeOptions, volumeControllers } from '../volume-controllers.ts'
import { Mortality, MortalTransport } from './mortal-transport.ts'

const limitMs = 10_000
const log = pino({ level: process.env.STILLPOINT_TEST_LOG ?? 'silent' })

/** An API server with the volume controllers over one driver, all in this process. */
export class World {
  readonly dataDir: string
  readonly api: ApiServer
  readonly client: KubeClient
  readonly routes: Map<string, RawHandler>
  /** What the controllers under test die of. */
  readonly mortality = new Mortality()
  readonly #transport: Transport
  readonly #mortalTransport: Transport
  #running: { controllers: RunningVolumeControllers; informers: Informers } | undefined

  private constructor(dataDir: string, api: ApiServer, routes: Map<string, RawHandler>) {
    this.dataDir = dataDir
    this.api = api
    this.routes = routes
    const connection = {
      server: api.url,
      ca: api.ca,
      authorize: () => ({ authorization: `Bearer ${api.controllerToken}` }),
    }
    this.#transport = new Transport(connection)
    this.#mortalTransport = new MortalTransport(connection, this.mortality)
    this.client = new KubeClient(this.#transport)
  }

  static async create(): Promise<World> {
    const dataDir = await mkdtemp(join(tmpdir(), 'stillpoint-volume-'))
    const routes = new Map<string, RawHandler>()
    const api = await startApiServer({
      dataDir,
      listen: { host: '127.0.0.1', port: 0 },
      resources: kinds,
      admission: volumeAdmission,
      subresources: new Map(),
      routes,
      log,
    })
    return new World(dataDir, api, routes)
  }

  /** Starts the controllers, as a server process does; after `stop` this is a restart. */
  async start(driver: VolumeDriver, options: Partial<VolumeOptions> = {}): Promise<void> {
    const client = new KubeClient(this.#mortalTransport)
    const informers = new Informers(client, log)
    const controllers = volumeControllers(
      { client, informers, log, now: () => new Date() },
      {
        dataDir: this.dataDir,
        csi: new Map([[layersDriver, driver]]),
        uploadUrl: this.api.url,
        headStartMs: 0,
        ...options,
      },
    )
    this.#running = { controllers, informers }
    for (const [prefix, route] of controllers.routes) this.routes.set(prefix, route)
    await informers.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.controllers.close()
    await running?.informers.close()
  }

  async close(): Promise<void> {
    await this.stop()
    this.#transport.close()
    this.#mortalTransport.close()
    await this.api.close()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** The object once it is as wanted; fails with what it is when that does not happen in time. */
  async until<R extends ResourceDefinition>(
    definition: R,
    name: string,
    wanted: (object: ObjectOf<R>) => boolean,
    ms = limitMs,
  ): Promise<ObjectOf<R>> {
    const ref = { ...(definition.scope === 'Cluster' ? {} : { namespace: 'default' }), name }
    const signal = AbortSignal.timeout(ms)
    let last: KubeObject | undefined
    while (!signal.aborted) {
      const object = await this.client.find(definition, ref)
      if (object && wanted(object)) return object
      last = object
      await delay(10, signal)
    }
    throw new Error(`${definition.kind} ${name} is not as wanted: ${JSON.stringify(last, null, 1)}`)
  }

  async untilGone(definition: ResourceDefinition, name: string, ms = limitMs): Promise<void> {
    const ref = { ...(definition.scope === 'Cluster' ? {} : { namespace: 'default' }), name }
    const signal = AbortSignal.timeout(ms)
    let last: KubeObject | undefined
    do {
      last = await this.client.find(definition, ref)
      if (!last) return
      await delay(10, signal)
    } while (!signal.aborted)
    throw new Error(`${definition.kind} ${name} is still there: ${JSON.stringify(last, null, 1)}`)
  }

  claim(name: string, spec: Partial<PersistentVolumeClaimSpec> = {}, annotations: Record<string, string> = {}) {
    return this.client.create(
      PersistentVolumeClaim,
      objectOf(
        PersistentVolumeClaim,
        { name, namespace: 'default', annotations },
        { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, ...spec } },
      ),
    )
  }

  async boundClaim(name: string, spec: Partial<PersistentVolumeClaimSpec> = {}) {
    await this.claim(name, spec)
    return this.until(PersistentVolumeClaim, name, ({ status }) => status?.phase === 'Bound')
  }

  snapshot(name: string, claim: string, annotations: Record<string, string> = {}) {
    return this.client.create(
      VolumeSnapshot,
      objectOf(
        VolumeSnapshot,
        { name, namespace: 'default', annotations },
        { spec: { source: { persistentVolumeClaimName: claim } } },
      ),
    )
  }
}
