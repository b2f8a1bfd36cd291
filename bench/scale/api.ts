import { pino } from 'pino'
import { kinds } from '../../packages/api/src/kinds.ts'
import { snapshotAdmission } from '../../packages/api/src/snapshot/admission.ts'
import { type SubresourceHandler, startApiServer } from '../../packages/server/src/apiserver/api-server.ts'
import { serveParent } from './child.ts'

export interface ApiFacts {
  url: string
  ca: string
  token: string
}
export interface ApiReport {
  /** Requests by `verb resource/subresource`. */
  requests: Record<string, number>
  /** Of every guest thawed so far: from the answer to the freeze until the request of the thaw. */
  windowsMs: number[]
}

/** The embedded API server, whose guests freeze and thaw without doing anything. */
const [dataDir = ''] = process.argv.slice(2)
const requests: Record<string, number> = {}
const windowsMs: number[] = []
const frozen = new Map<string, number>()
const action = 'subresources.kubevirt.io/virtualmachineinstances'
const api = await startApiServer({
  dataDir,
  listen: { host: '127.0.0.1', port: 0 },
  resources: kinds,
  admission: snapshotAdmission,
  subresources: new Map<string, SubresourceHandler>([
    [
      `${action}/freeze`,
      async ({ name }) => {
        frozen.set(name, performance.now())
        return { code: 200 }
      },
    ],
    [
      `${action}/unfreeze`,
      async ({ name }) => {
        const since = frozen.get(name)
        if (since !== undefined) windowsMs.push(performance.now() - since)
        frozen.delete(name)
        return { code: 200 }
      },
    ],
  ]),
  answered: ({ verb, resource, subresource }) => {
    const what = `${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`
    requests[what] = (requests[what] ?? 0) + 1
  },
  log: pino({ level: 'silent' }),
})
serveParent(
  { url: api.url, ca: api.ca, token: api.controllerToken } satisfies ApiFacts,
  (): ApiReport => ({ requests, windowsMs }),
  () => api.close(),
)
