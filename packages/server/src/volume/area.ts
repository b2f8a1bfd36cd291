import type { Logger } from 'pino'
import type { ControllerContext } from '../controller/context.ts'
import { EventRecorder } from '../controller/events.ts'
import type { QueueObservers } from '../controller/queue-observer.ts'
import type { KubeClient } from '../kube/client.ts'
import { Drivers, type VolumeDriver } from './driver.ts'
import { Inventory } from './inventory.ts'

/** About as long as a guest takes to thaw. */
const guestThawMs = 200

/** What the controllers of this area share. */
export interface Area {
  client: KubeClient
  inventory: Inventory
  drivers: Drivers
  events: EventRecorder
  log: Logger
  now: () => Date
  queues: QueueObservers | undefined
  dataDir: string
  headStartMs: number
  /** Every pass waits for this first: caches filled, drivers known. */
  ready(): Promise<void>
}

export function createArea(
  { client, informers, log, now, queues }: ControllerContext,
  options: { dataDir: string; csi: ReadonlyMap<string, VolumeDriver>; headStartMs?: number },
): Area {
  const inventory = new Inventory(informers)
  const drivers = new Drivers(options.csi, log)
  return {
    client,
    inventory,
    drivers,
    events: new EventRecorder(client, 'stillpoint-volume', log),
    log,
    now,
    queues,
    dataDir: options.dataDir,
    headStartMs: options.headStartMs ?? guestThawMs,
    ready: async () => {
      await Promise.all([inventory.ready(), drivers.ready()])
    },
  }
}
