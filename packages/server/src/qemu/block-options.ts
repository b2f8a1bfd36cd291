import { createHash } from 'node:crypto'
import { type BlockdevOptions, type BlockSource, checked, checkedPath, QemuSpecError } from './spec.ts'

// A layered source comes from the storage driver, which needs no others. Anything that reaches over the network or
// runs a program stays outside.
const layeredDrivers = new Set(['file', 'host_device', 'qcow2', 'raw', 'throttle', 'copy-on-read', 'nbd'])

/** A block node's name (QEMU allows 31 characters): readable where it fits, else a hash of it. */
export function nodeName(prefix: string, name: string): string {
  const readable = `${prefix}-${name}`
  if (/^[A-Za-z][A-Za-z0-9_.-]{0,30}$/.test(readable)) return readable
  return `${prefix}-${createHash('sha256').update(name).digest('hex').slice(0, 20)}`
}

export interface DiskNodes {
  readonly nodes: readonly BlockdevOptions[]
  readonly top: string
}

/**
 * The nodes behind one disk. `direct` is what a probe of the file system said, used where the source says `auto`.
 * A qcow2 file is opened without regard to the backing file its header names: an image from outside could otherwise
 * make QEMU read any file of the machine.
 */
export function diskNodes(name: string, source: BlockSource, opts: { readonly: boolean; direct: boolean }): DiskNodes {
  const field = `disks[${name}].source`
  const common = { 'read-only': opts.readonly, discard: 'unmap' }
  switch (source.kind) {
    case 'layered':
      return layeredNodes(field, source.nodes, source.top)
    case 'device': {
      const top = nodeName('d', name)
      return {
        top,
        nodes: [
          {
            driver: 'host_device',
            'node-name': top,
            filename: checkedPath(`${field}.path`, source.path),
            cache: { direct: true },
            aio: source.aio ?? 'native',
            ...common,
          },
        ],
      }
    }
    case 'file': {
      const direct = source.cache === 'direct' || ((source.cache ?? 'auto') === 'auto' && opts.direct)
      const top = nodeName('d', name)
      const file = nodeName('f', name)
      return {
        top,
        nodes: [
          {
            driver: 'file',
            'node-name': file,
            filename: checkedPath(`${field}.path`, source.path),
            cache: { direct },
            // QEMU refuses native asynchronous I/O through the page cache.
            aio: direct ? (source.aio ?? 'native') : 'threads',
            ...common,
          },
          {
            driver: source.format,
            'node-name': top,
            file,
            cache: { direct },
            ...(source.format === 'qcow2' ? { backing: null } : {}),
            ...common,
          },
        ],
      }
    }
    default:
      throw source satisfies never
  }
}

function layeredNodes(field: string, nodes: readonly BlockdevOptions[], top: string): DiskNodes {
  const known = new Set<string>()
  for (const [index, node] of nodes.entries()) {
    const at = `${field}.nodes[${index}]`
    const name = checked(`${at}.node-name`, node['node-name'], 'nodeName')
    checkDriver(at, node)
    for (const reference of ['backing', 'file'] as const) {
      const value = node[reference]
      if (typeof value === 'string' && !known.has(value))
        throw new QemuSpecError(`${at}.${reference}`, `names node ${JSON.stringify(value)}, which is not listed before`)
      if (typeof value === 'object' && value !== null) checkDriver(`${at}.${reference}`, value as BlockdevOptions)
    }
    // Left out, QEMU would open whatever the header names.
    if (node.driver === 'qcow2' && !('backing' in node))
      throw new QemuSpecError(`${at}.backing`, 'must be given: the node below, or null for the lowest layer')
    if (known.has(name)) throw new QemuSpecError(`${at}.node-name`, `${name} is listed twice`)
    known.add(name)
  }
  if (!known.has(top)) throw new QemuSpecError(`${field}.top`, `${JSON.stringify(top)} is not among the nodes`)
  return { nodes, top }
}

function checkDriver(at: string, node: BlockdevOptions): void {
  if (!layeredDrivers.has(node.driver))
    throw new QemuSpecError(
      `${at}.driver`,
      `${JSON.stringify(node.driver)} is none of ${[...layeredDrivers].join(', ')}`,
    )
  if (typeof node.filename === 'string') checkedPath(`${at}.filename`, node.filename)
}
