import type { Account, Holder } from './account.ts'

const gauges = {
  stillpoint_store_bytes: 'Bytes the layers of all volumes and snapshots take on disk.',
  stillpoint_volume_unique_bytes: 'Bytes that would be free if this volume were deleted.',
  stillpoint_volume_shared_bytes: 'Bytes of this volume that other volumes or snapshots need as well.',
  stillpoint_snapshot_unique_bytes: 'Bytes that would be free if this snapshot were deleted.',
  stillpoint_snapshot_shared_bytes: 'Bytes of this snapshot that other volumes or snapshots need as well.',
}

/** The account of a store in Prometheus' text format. Label `id` is the CSI handle of the volume or snapshot. */
export function accountMetrics({ storeBytes, volumes, snapshots }: Account): string {
  const perHolder = (kind: 'volume' | 'snapshot', list: readonly Holder[]): [keyof typeof gauges, string[]][] => [
    [`stillpoint_${kind}_unique_bytes`, list.map(({ id, uniqueBytes }) => `{id="${id}"} ${uniqueBytes}`)],
    [`stillpoint_${kind}_shared_bytes`, list.map(({ id, sharedBytes }) => `{id="${id}"} ${sharedBytes}`)],
  ]
  const series: [keyof typeof gauges, string[]][] = [
    ['stillpoint_store_bytes', [` ${storeBytes}`]],
    ...perHolder('volume', volumes),
    ...perHolder('snapshot', snapshots),
  ]
  return series
    .map(([name, values]) =>
      [`# HELP ${name} ${gauges[name]}`, `# TYPE ${name} gauge`, ...values.map((v) => name + v), ''].join('\n'),
    )
    .join('')
}

/** Reads back what `accountMetrics` wrote, among other metrics. */
export function parseAccountMetrics(text: string): Account {
  const account: Account = { storeBytes: 0, volumes: [], snapshots: [] }
  const holders = { volume: new Map<string, Holder>(), snapshot: new Map<string, Holder>() }
  for (const line of text.split('\n')) {
    const store = /^stillpoint_store_bytes (\d+)$/.exec(line)
    if (store) account.storeBytes = Number(store[1])
    const match = /^stillpoint_(volume|snapshot)_(unique|shared)_bytes\{id="([^"]*)"\} (\d+)$/.exec(line)
    if (!match) continue
    const [, kind, share, id = '', bytes] = match
    const map = holders[kind === 'volume' ? 'volume' : 'snapshot']
    const holder = map.get(id) ?? { id, uniqueBytes: 0, sharedBytes: 0 }
    map.set(id, { ...holder, [share === 'unique' ? 'uniqueBytes' : 'sharedBytes']: Number(bytes) })
  }
  return { ...account, volumes: [...holders.volume.values()], snapshots: [...holders.snapshot.values()] }
}
