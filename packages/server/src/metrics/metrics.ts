import { Counter, exponentialBuckets, Gauge, Histogram, Registry } from 'prom-client'

// Everything that is measured, in one place; docs/metrics.md is its table, and a test compares the two. Label values
// come from closed sets, but for the series per snapshot, which go with their snapshots.

const windowSeconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const skewSeconds = [0, 1, 2, 5, 10, 30]
const durationSeconds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800]
const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const queueSeconds = exponentialBuckets(0.0001, 10, 8)

/** The metrics of one process. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #refreshes: (() => void)[] = []
  /** Name, type and labels of each, in the order of docs/metrics.md. */
  readonly families: { name: string; type: 'gauge' | 'counter' | 'histogram'; labels: readonly string[] }[] = []

  readonly snapshotSucceeded = this.#gauge(
    'kubevirt_vmsnapshot_succeeded_timestamp_seconds',
    'When the data of a succeeded snapshot was cut, as Unix time. Gone with the snapshot.',
    ['name', 'snapshot_name', 'namespace'],
  )
  readonly snapshotDuration = this.#histogram(
    'stillpoint_snapshot_duration_seconds',
    'From the creation of a VirtualMachineSnapshot until its phase is final, or it is gone before.',
    durationSeconds,
    ['outcome'],
  )
  readonly snapshotReady = this.#histogram(
    'stillpoint_snapshot_ready_seconds',
    'From the creation of a VirtualMachineSnapshot until it is first ready to use.',
    durationSeconds,
  )
  readonly snapshotFailures = this.#counter(
    'stillpoint_snapshot_failures_total',
    'VirtualMachineSnapshots that failed, by class of reason.',
    ['reason'],
  )
  readonly freezeWindow = this.#histogram(
    'stillpoint_freeze_window_seconds',
    'From the answer of the guest to the freeze until its answer to the thaw, by how the window ended.',
    windowSeconds,
    ['end'],
  )
  readonly cutSkew = this.#histogram(
    'stillpoint_cut_skew_seconds',
    'Between the first and the last volume cut of a running VM with several, as the VolumeSnapshots tell in whole seconds.',
    skewSeconds,
  )
  readonly freezeFailures = this.#counter(
    'stillpoint_freeze_failures_total',
    'Freeze calls that a guest refused or did not answer.',
  )
  readonly thawFailures = this.#counter(
    'stillpoint_thaw_failures_total',
    'Thaws that failed, repeated ones with the same answer counted once. limited: the guest had ended the freeze itself.',
    ['reason'],
  )
  readonly restoreDuration = this.#histogram(
    'stillpoint_restore_duration_seconds',
    'From the creation of a VirtualMachineRestore until it is complete or failed, or it is gone before.',
    durationSeconds,
    ['outcome'],
  )
  readonly restoreFailures = this.#counter(
    'stillpoint_restore_failures_total',
    'VirtualMachineRestores that failed, by class of reason.',
    ['reason'],
  )

  readonly queueDepth = this.#gauge('workqueue_depth', 'Keys that wait in a work queue.', ['name'])
  readonly queueAdds = this.#counter('workqueue_adds_total', 'Keys put into a work queue.', ['name'])
  readonly queueRetries = this.#counter('workqueue_retries_total', 'Keys to be put in again later.', ['name'])
  readonly queueDuration = this.#histogram(
    'workqueue_queue_duration_seconds',
    'How long a key waited before a worker took it.',
    queueSeconds,
    ['name'],
  )
  readonly workDuration = this.#histogram(
    'workqueue_work_duration_seconds',
    'How long a worker was busy with a key.',
    queueSeconds,
    ['name'],
  )
  readonly unfinishedWork = this.#gauge(
    'workqueue_unfinished_work_seconds',
    'How long the workers have been busy with what they are at, added up.',
    ['name'],
  )

  readonly clientRequests = this.#counter(
    'rest_client_requests_total',
    'Requests of the controllers to the API, by method and status code; code <error>: nobody answered.',
    ['method', 'code'],
  )
  readonly serverRequests = this.#counter(
    'apiserver_request_total',
    'Requests that the embedded API server answered; a watch counts when it begins.',
    ['verb', 'group', 'resource', 'subresource', 'code'],
  )
  readonly serverRequestDuration = this.#histogram(
    'apiserver_request_duration_seconds',
    'How long the embedded API server took to answer, watches left out.',
    requestSeconds,
    ['verb'],
  )

  readonly #cpu = this.#counter('process_cpu_seconds_total', 'Processor time of this process, user and system.')
  readonly #memory = this.#gauge('process_resident_memory_bytes', 'Resident memory of this process.')
  readonly #start = this.#gauge('process_start_time_seconds', 'When this process started, as Unix time.')
  #cpuSeconds = 0

  constructor() {
    this.#start.set(Math.round(Date.now() / 1_000 - process.uptime()))
    this.onRead(() => {
      const { user, system } = process.cpuUsage()
      const seconds = (user + system) / 1e6
      this.#cpu.inc(seconds - this.#cpuSeconds)
      this.#cpuSeconds = seconds
      this.#memory.set(process.memoryUsage.rss())
    })
  }

  /** For what is looked up when it is asked for. */
  onRead(refresh: () => void): void {
    this.#refreshes.push(refresh)
  }

  /** All of them in Prometheus' text format. */
  async text(): Promise<string> {
    for (const refresh of this.#refreshes) refresh()
    return await this.#registry.metrics()
  }

  #gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    this.families.push({ name, type: 'gauge', labels: labelNames })
    return new Gauge({ name, help, labelNames, registers: [this.#registry] })
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    this.families.push({ name, type: 'counter', labels: labelNames })
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram<L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[] = [],
  ): Histogram<L> {
    this.families.push({ name, type: 'histogram', labels: labelNames })
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] })
  }
}

/** What answers to requests for metrics declare themselves to be. */
export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8'
