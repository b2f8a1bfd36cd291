import { QmpConnection, QmpError } from '../qemu/qmp.ts'
import type { BlockNode } from './block-nodes.ts'
import type { Log } from './context.ts'
import { explain, Refusal } from './refusal.ts'

interface NodeInfo {
  name: string
  readOnly: boolean
  /** False for an overlay that was added and not yet put over anything. */
  overlaid: boolean
}

/** A QEMU that has volumes of ours open, reached by the monitor kept for storage. */
export class Monitor {
  readonly socket: string
  readonly #qmp: QmpConnection
  #nodes = new Map<string, NodeInfo>()
  constructor(socket: string, qmp: QmpConnection) {
    this.socket = socket
    this.#qmp = qmp
  }

  /** The nodes as of the last look; kept up to date by what is done through this object. */
  get nodes(): ReadonlyMap<string, NodeInfo> {
    return this.#nodes
  }

  async look(): Promise<ReadonlyMap<string, NodeInfo>> {
    // `backing_file` tells the link in the graph, not the name in the header; `backing_file_depth` is always 0 here.
    type Answer = { 'node-name': string; ro: boolean; backing_file?: string }[]
    // Without `flat` each node lists all nodes below it once more: quadratic in the length of the chains.
    const nodes = await this.#qmp.execute<Answer>('query-named-block-nodes', { flat: true })
    this.#nodes = new Map(
      nodes.map((node) => [
        node['node-name'],
        { name: node['node-name'], readOnly: node.ro, overlaid: node.backing_file !== undefined },
      ]),
    )
    return this.#nodes
  }

  async add(node: BlockNode): Promise<void> {
    await this.#qmp.execute('blockdev-add', node)
    const name = node['node-name']
    this.#nodes.set(name, { name, readOnly: node['read-only'], overlaid: false })
  }

  async remove(name: string): Promise<void> {
    await this.#qmp.execute('blockdev-del', { 'node-name': name })
    this.#nodes.delete(name)
  }

  /** Puts each overlay over its node, all at one instant or none. */
  async cut(pairs: readonly { node: string; overlay: string }[]): Promise<void> {
    const actions = pairs.map((data) => ({ type: 'blockdev-snapshot', data }))
    await this.#qmp.execute('transaction', { actions })
    for (const { node, overlay } of pairs) {
      const below = this.#nodes.get(node)
      if (below) this.#nodes.set(node, { ...below, readOnly: true })
      this.#nodes.set(overlay, { name: overlay, readOnly: false, overlaid: true })
    }
  }

  async resize(name: string, sizeBytes: number): Promise<void> {
    await this.#qmp.execute('block_resize', { 'node-name': name, size: sizeBytes })
  }

  async running(): Promise<boolean> {
    const { running } = await this.#qmp.execute<{ running: boolean }>('query-status')
    return running
  }

  async stop(): Promise<void> {
    await this.#qmp.execute('stop')
  }

  async resume(): Promise<void> {
    await this.#qmp.execute('cont')
  }
}

/** One connection to each QEMU, kept as long as that QEMU lives: a monitor serves one client, and connecting takes time. */
export class Monitors {
  readonly #log: Log
  readonly #connectTimeoutMs: number
  readonly #open = new Map<string, Promise<Monitor | undefined>>()
  readonly #connections = new Set<QmpConnection>()
  #closed = false
  constructor(log: Log, connectTimeoutMs = 3_000) {
    this.#log = log
    this.#connectTimeoutMs = connectTimeoutMs
  }

  /** The QEMU at this socket; undefined when none is there. Refuses when one is there and does not answer. */
  reach(socket: string): Promise<Monitor | undefined> {
    const known = this.#open.get(socket)
    if (known) return known
    const connecting = this.#connect(socket)
    this.#open.set(socket, connecting)
    const forget = () => {
      if (this.#open.get(socket) === connecting) this.#open.delete(socket)
    }
    connecting.then((monitor) => monitor ?? forget(), forget)
    return connecting
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#open.values())
    await Promise.all([...this.#connections].map((connection) => connection.close()))
  }

  async #connect(socket: string): Promise<Monitor | undefined> {
    if (this.#closed) throw new Refusal('UNAVAILABLE', 'the driver is shutting down')
    let qmp: QmpConnection
    try {
      qmp = await QmpConnection.connect(socket, { timeoutMs: this.#connectTimeoutMs })
    } catch (error) {
      if (nobodyThere(error)) return undefined
      throw new Refusal('UNAVAILABLE', `the QEMU behind ${socket} does not answer: ${explain(error)}`, { cause: error })
    }
    this.#connections.add(qmp)
    const monitor = new Monitor(socket, qmp)
    const gone = qmp.closed.then((reason) => {
      this.#connections.delete(qmp)
      this.#open.delete(socket)
      this.#log.info({ socket, reason: reason?.message }, 'storage monitor closed')
    })
    try {
      await monitor.look()
    } catch (error) {
      await qmp.close()
      await gone
      throw new Refusal('UNAVAILABLE', `the QEMU behind ${socket} does not list its block nodes: ${explain(error)}`, {
        cause: error,
      })
    }
    this.#log.info({ socket, qemu: qmp.version }, 'storage monitor connected')
    return monitor
  }
}

function nobodyThere(error: unknown): boolean {
  if (!(error instanceof QmpError) || error.class !== 'ConnectionClosed') return false
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}
