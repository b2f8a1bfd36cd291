import type { Logger } from 'pino'
import type { KubeClient } from '../kube/client.ts'
import type { Informers } from '../kube/informers.ts'
import type { QueueObservers } from './queue-observer.ts'

/** What every controller is given. Listeners are registered at once; work begins when `informers` start. */
export interface ControllerContext {
  client: KubeClient
  informers: Informers
  log: Logger
  now: () => Date
  /** Who wants to know how busy the queues are. */
  queues?: QueueObservers | undefined
}

export interface RunningController {
  /** Takes no new work and waits for what is being worked on. */
  close(): Promise<void>
}
