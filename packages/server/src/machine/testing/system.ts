import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kinds } from '@stillpoint/api/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { pino } from 'pino'
import { type ApiServer, type StreamHandler, startApiServer } from '../../apiserver/api-server.ts'
import { KubeClient } from '../../kube/client.ts'
import { Informers } from '../../kube/informers.ts'
import { Transport } from '../../kube/transport.ts'
import { machineAdmission } from '../admission.ts'
import { type MachineControllers, machineControllers } from '../machine-controllers.ts'
import { MemoryHypervisor, type MemoryMachine } from './memory-hypervisor.ts'

const driver = 'memory.csi.stillpoint.dev'

/** An API server with the machine controllers on guests in memory. */
export class TestSystem {
  readonly dataDir: string
  readonly hypervisor = new MemoryHypervisor()
  /** `publish NAME` and `unpublish NAME`, as the driver was asked. */
  readonly driverCalls: string[] = []
  readonly api: ApiServer
  /** As the controllers. */
  readonly client: KubeClient
  /** As a person. */
  readonly user: KubeClient
  /** Of that person. */
  readonly userToken: string
  readonly #transports: Transport[]
  readonly #subresources: Map<string, never>
  readonly #streams: Map<string, StreamHandler>
  #controllers: MachineControllers | undefined
  #informers: Informers | undefined

  private constructor(
    dataDir: string,
    api: ApiServer,
    { subresources, streams }: { subresources: Map<string, never>; streams: Map<string, StreamHandler> },
  ) {
    this.dataDir = dataDir
    this.api = api
    this.#subresources = subresources
    this.#streams = streams
    const as = (token: string): Transport =>
      new Transport({ server: api.url, ca: api.ca, authorize: () => ({ authorization: `Bearer ${token}` }) })
    this.userToken = /token: (\S+)/.exec(api.adminKubeconfig)?.[1]?.replaceAll('"', '') ?? ''
    this.#transports = [as(api.controllerToken), as(this.userToken)]
    const [system, admin] = this.#transports as [Transport, Transport]
    this.client = new KubeClient(system)
    this.user = new KubeClient(admin)
  }

  static async start(): Promise<TestSystem> {
    const dataDir = await mkdtemp(join(tmpdir(), 'sp-'))
    const subresources = new Map<string, never>()
    const streams = new Map<string, StreamHandler>()
    const api = await startApiServer({
      dataDir: join(dataDir, 'api'),
      listen: { host: '127.0.0.1', port: 0 },
      resources: kinds,
      admission: machineAdmission,
      subresources,
      streams,
      log: pino({ level: 'silent' }),
    })
    const system = new TestSystem(dataDir, api, { subresources, streams })
    await system.startControllers()
    return system
  }

  async startControllers(): Promise<void> {
    const log = pino({ level: process.env.LOG ?? 'silent' })
    this.#informers = new Informers(this.client, log)
    const publisher = {
      nodePublish: async ({ volumeId }: { volumeId: string }) => {
        this.driverCalls.push(`publish ${volumeId}`)
      },
      nodeUnpublish: async ({ volumeId }: { volumeId: string }) => {
        this.driverCalls.push(`unpublish ${volumeId}`)
      },
    }
    this.#controllers = machineControllers(
      { client: this.client, informers: this.#informers, log, now: () => new Date() },
      {
        dataDir: join(this.dataDir, 'm'),
        csi: new Map([[driver, publisher]]),
        hypervisor: this.hypervisor,
        nodeName: 'node-1',
      },
    )
    for (const [key, handler] of this.#controllers.subresources) this.#subresources.set(key, handler as never)
    for (const [key, handler] of this.#controllers.streams) this.#streams.set(key, handler)
    await this.#informers.start()
  }

  get controllers(): MachineControllers {
    if (!this.#controllers) throw new Error('the controllers are stopped')
    return this.#controllers
  }

  /** Ends the controllers as a server's end does; guests go on. */
  async stopControllers(): Promise<void> {
    await this.#controllers?.close()
    await this.#informers?.close()
    this.hypervisor.forgetListeners()
    this.#controllers = undefined
  }

  async close(): Promise<void> {
    await this.stopControllers()
    for (const transport of this.#transports) transport.close()
    await this.api.close()
    await rm(this.dataDir, { recursive: true, force: true })
  }

  /** A bound claim with its volume. */
  async claim(name: string): Promise<void> {
    const volume = `pv-${name}`
    await this.client.create(
      PersistentVolume,
      objectOf(
        PersistentVolume,
        { name: volume },
        {
          spec: {
            capacity: { storage: '1Gi' },
            accessModes: ['ReadWriteOnce'],
            volumeMode: 'Block',
            claimRef: { namespace: 'default', name },
            csi: { driver, volumeHandle: name },
          },
        },
      ),
    )
    const claim = await this.client.create(
      PersistentVolumeClaim,
      objectOf(
        PersistentVolumeClaim,
        { namespace: 'default', name },
        {
          spec: {
            accessModes: ['ReadWriteOnce'],
            volumeMode: 'Block',
            volumeName: volume,
            resources: { requests: { storage: '1Gi' } },
          },
        },
      ),
    )
    await this.client.updateStatus(PersistentVolumeClaim, { ...claim, status: { phase: 'Bound' } })
  }

  async vm(name: string, runStrategy: string, claimName = 'disk'): Promise<VirtualMachine> {
    return this.user.create(
      VirtualMachine,
      objectOf(
        VirtualMachine,
        { namespace: 'default', name },
        {
          spec: {
            runStrategy,
            template: {
              spec: {
                domain: {
                  memory: { guest: '256Mi' },
                  devices: { disks: [{ name: 'root', disk: { bus: 'virtio' } }] },
                },
                volumes: [{ name: 'root', persistentVolumeClaim: { claimName } }],
              },
            },
          },
        },
      ),
    )
  }

  /** Calls an action as a person would. */
  async act(kind: 'virtualmachines' | 'virtualmachineinstances', name: string, action: string, body?: unknown) {
    return this.user.call(
      {
        group: 'subresources.kubevirt.io',
        version: 'v1',
        namespace: 'default',
        resource: kind,
        name,
        subresource: action,
      },
      { method: 'PUT', ...(body === undefined ? {} : { body }) },
    )
  }

  machine(): MemoryMachine {
    const [machine] = this.hypervisor.machines.values()
    if (!machine) throw new Error('no guest runs')
    return machine
  }
}

/** Asks again and again until the answer is neither undefined nor false; fails, with the last error, after the limit. */
export async function eventually<T>(ask: () => Promise<T | undefined | false>, limitMs = 15_000): Promise<T> {
  const deadline = Date.now() + limitMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${ask.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
