import { pino } from 'pino'
import { KubeClient } from '../../packages/server/src/kube/client.ts'
import { Informers } from '../../packages/server/src/kube/informers.ts'
import { Transport } from '../../packages/server/src/kube/transport.ts'
import { Metrics } from '../../packages/server/src/metrics/metrics.ts'
import { queueMetrics } from '../../packages/server/src/metrics/queues.ts'
import { measureSnapshots } from '../../packages/server/src/metrics/snapshots.ts'
import { snapshotControllers } from '../../packages/server/src/snapshot/controllers.ts'
import { serveParent } from './child.ts'

/** The snapshot controllers alone. */
const [url = '', ca = '', token = ''] = process.argv.slice(2)
const log = pino({ level: 'silent' })
const transport = new Transport({ server: url, ca, authorize: () => ({ authorization: `Bearer ${token}` }) })
const client = new KubeClient(transport)
const informers = new Informers(client, log)
const metrics = new Metrics()
const now = (): Date => new Date()
const controllers = snapshotControllers({ client, informers, log, now, queues: queueMetrics(metrics) })
measureSnapshots(informers, metrics, now)
await informers.start()
serveParent(
  {},
  () => ({}),
  async () => {
    await controllers.close()
    await informers.close()
    transport.close()
  },
)
