/** Hears what a work queue does. Quick, and never throws. */
export interface QueueObserver {
  /** A key is waiting that was not. */
  added(key: string): void
  /** A worker took it. */
  taken(key: string): void
  /** The worker is done with it, whatever came of it. */
  finished(key: string): void
  /** It will be put in later: after a failure, or because somebody wants it looked at again. */
  delayed(): void
  /** What was waiting was dropped. */
  closed(): void
}

/** Gives the observer of a queue by the name of its controller. */
export type QueueObservers = (controller: string) => QueueObserver
