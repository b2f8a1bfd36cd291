import { join } from 'node:path'
import { PersistentVolume, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { KubeClient } from '../kube/client.ts'
import { connectionFromKubeconfig } from '../kube/kubeconfig.ts'
import { Transport } from '../kube/transport.ts'
import { parseAccountMetrics } from '../layers/metrics.ts'
import { dataDirOf } from './data-dir.ts'
import { columns } from './table.ts'

/** Prints who holds how many bytes of the store, by the names users know. */
export async function space(options: { dataDir?: string; output: 'table' | 'json' }): Promise<void> {
  const transport = new Transport(await connectionFromKubeconfig(join(dataDirOf(options.dataDir), 'kubeconfig')))
  try {
    const account = parseAccountMetrics(
      await transport.requestText({ method: 'GET', path: '/metrics', accept: 'text/plain' }),
    )
    if (options.output === 'json') {
      process.stdout.write(`${JSON.stringify(account, undefined, 2)}\n`)
      return
    }
    const client = new KubeClient(transport)
    const names = new Map<string, string>()
    for (const { spec } of (await client.list(PersistentVolume)).items)
      if (spec?.csi) names.set(spec.csi.volumeHandle, `${spec.claimRef?.namespace}/${spec.claimRef?.name}`)
    for (const { spec, status } of (await client.list(VolumeSnapshotContent)).items)
      if (status?.snapshotHandle)
        names.set(status.snapshotHandle, `${spec.volumeSnapshotRef.namespace}/${spec.volumeSnapshotRef.name}`)
    const rows = [
      ...account.volumes.map((holder) => ({ kind: 'volume', ...holder })),
      ...account.snapshots.map((holder) => ({ kind: 'snapshot', ...holder })),
    ].map(({ kind, id, uniqueBytes, sharedBytes }) => [kind, names.get(id) ?? id, mib(uniqueBytes), mib(sharedBytes)])
    process.stdout.write(
      `${columns([['KIND', 'NAME', 'UNIQUE', 'SHARED'], ...rows, ['store', '', mib(account.storeBytes), '']])}\n`,
    )
  } finally {
    transport.close()
  }
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
