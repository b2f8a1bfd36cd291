import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Namespace } from '@stillpoint/api/core/namespace'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { keyOf } from '@stillpoint/api/meta/object-meta'
import { isConflict, type StatusCause, StatusError } from '@stillpoint/api/meta/status-error'
import { type ObjectOf, objectOf, type ResourceDefinition } from '@stillpoint/api/schema/resource'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { pino } from 'pino'
import { isJsonObject } from '../../apiserver/json.ts'
import { TestClient } from '../../apiserver/testing/client.ts'
import { startBench } from '../../controller/testing/bench.ts'
import { KubeClient } from '../../kube/client.ts'
import { delay } from '../../kube/informer.ts'
import { Informers } from '../../kube/informers.ts'
import { connectionFromKubeconfig } from '../../kube/kubeconfig.ts'
import { type HttpRequest, Transport } from '../../kube/transport.ts'
import { webhook } from '../webhook.ts'
import type { Row, Stored, Verdict } from './rows.ts'

/** Somebody who admits writes, in one of the versions of a kind. */
export interface Driver {
  ask(row: Row, version: 'storage' | 'older'): Promise<Verdict>
  close(): Promise<void>
}

const run = randomUUID().slice(0, 8)
let namespaces = 0

async function prepare(client: KubeClient, given: readonly Stored[]) {
  namespaces += 1
  const namespace = `rows-${run}-${namespaces}`
  await client.create(Namespace, objectOf(Namespace, { name: namespace }, {}))
  const stored: KubeObject[] = []
  for (const { kind, name, spec, status } of given) {
    const created = await client.create(kind, bodyOf(kind, { namespace, name }, { spec }))
    stored.push(status ? await client.patch(kind, { namespace, name }, { status }, { subresource: 'status' }) : created)
  }
  return { namespace, stored }
}

function bodyOf(
  kind: ResourceDefinition,
  metadata: KubeObject['metadata'],
  fields: object,
): ObjectOf<ResourceDefinition> {
  return objectOf(kind, metadata, fields as never)
}

/** The kind under the version to speak. */
function inVersion(kind: ResourceDefinition, version: 'storage' | 'older'): ResourceDefinition {
  const name = version === 'storage' ? kind.version : kind.versions.find((other) => other.name !== kind.version)?.name
  if (name === undefined) throw new Error(`${kind.kind} has one version only`)
  return { ...kind, version: name }
}

/** What is to be written: the new object, and the stored one for an update. */
function written(row: Row, namespace: string, [old]: KubeObject[]) {
  if (row.create) {
    const { kind, name, spec } = row.create
    return { kind, object: bodyOf(kind, { namespace, name }, spec ? { spec } : {}) }
  }
  const kind = row.given?.[0]?.kind
  if (kind === undefined || old === undefined || row.update === undefined) throw new Error('the row writes nothing')
  const { spec, labels, status } = row.update
  const metadata = labels ? { ...old.metadata, labels } : old.metadata
  return { kind, old, object: { ...old, metadata, ...(spec ? { spec } : {}), ...(status ? { status } : {}) } }
}

function verdictOf(row: Row, code: number, message: string, causes: readonly StatusCause[] = []): Verdict {
  if (typeof row.expected === 'object' && 'fields' in row.expected)
    return { code: code as 422, fields: causes.map(({ field }) => String(field)).sort() }
  return { code, message, causes: causes.map(({ reason, field, message: text }) => `${reason} ${field}: ${text}`) }
}

/** Does the write itself; what an API server answers, with the webhook's name taken off, which it must have put there. */
async function write(
  client: KubeClient,
  row: Row,
  version: 'storage' | 'older',
  namespace: string,
  stored: KubeObject[],
) {
  const { kind, object, old } = written(row, namespace, stored)
  const definition = inVersion(kind, version)
  const body = { ...object, apiVersion: `${definition.group}/${definition.version}` } as never
  try {
    if (old === undefined) await client.create(definition, body)
    else if (row.update?.through === 'status') await client.updateStatus(definition, body)
    else await client.update(definition, body)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const rule = snapshotAdmission.find(({ resource }) => resource === kind.plural)
    const prefix = `admission webhook "${rule?.webhook}" denied the request: `
    const bySchema = typeof row.expected === 'object' && 'fields' in row.expected
    if (error.message.startsWith(prefix) === bySchema) throw error
    return verdictOf(row, error.code, error.message.slice(prefix.length), error.status.details?.causes)
  }
}

/** The embedded server, with the rules built in. */
export async function embedded(): Promise<Driver> {
  const bench = await startBench({ admission: snapshotAdmission })
  return {
    async ask(row, version) {
      const { namespace, stored } = await prepare(bench.client, row.given ?? [])
      return await write(bench.client, row, version, namespace, stored)
    },
    close: () => bench.close(),
  }
}

const lagMs = 100

/** A cluster where `stillpoint controllers --controllers '' --webhook-…` runs. Nothing is written but what is given. */
export async function cluster(kubeconfig: string): Promise<Driver> {
  const connection = await connectionFromKubeconfig(kubeconfig)
  const own = new Transport(connection)
  const trying = new DryRun(connection)
  const never = new AbortController().signal
  return {
    async ask(row, version) {
      const client = new KubeClient(own)
      const { namespace, stored } = await prepare(client, row.given ?? [])
      const kind = row.given?.[0]?.kind
      // The webhook sees what is given a moment later than we do, and controllers may have written to it meanwhile.
      for (let tries = 20; ; tries -= 1) {
        if (kind && stored[0]) stored[0] = await client.get(kind, stored[0].metadata)
        const verdict = await write(new KubeClient(trying), row, version, namespace, stored).catch((error: unknown) => {
          if (!isConflict(error) || tries === 0) throw error
        })
        if (verdict !== undefined && (tries === 0 || isDeepStrictEqual(verdict, row.expected))) return verdict
        await delay(lagMs, never)
      }
    },
    close: async () => {
      own.close()
      trying.close()
    },
  }
}

class DryRun extends Transport {
  override request(options: HttpRequest): Promise<unknown> {
    return super.request({ ...options, query: { ...options.query, dryRun: 'All' } })
  }
}

/** The webhook, asked over HTTPS as a real API server asks it, about objects in an API server without rules. */
export async function asWebhook(): Promise<Driver & { url: string; client: TestClient }> {
  const bench = await startBench()
  const log = pino({ level: 'silent' })
  const informers = new Informers(bench.client, log)
  const start = webhook(
    { client: bench.client, informers, log, now: () => new Date() },
    { listen: { host: '127.0.0.1', port: 0 }, rules: snapshotAdmission },
  )
  await informers.start()
  const running = await start()
  const url = `https://127.0.0.1:${running.port}`
  const client = new TestClient({ url, ca: running.ca ?? '', token: '' })
  return {
    url,
    client,
    async ask(row, version) {
      const { namespace, stored } = await prepare(bench.client, row.given ?? [])
      for (const [index, object] of stored.entries()) await seen(informers, row.given?.[index]?.kind, object)
      const { kind, object, old } = written(row, namespace, stored)
      const definition = inVersion(kind, version)
      const apiVersion = `${definition.group}/${definition.version}`
      const { group, plural, kind: name } = definition
      const { code, body, text } = await client.post(`/validate/${plural}`, {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        request: {
          uid: `review-${namespace}`,
          kind: { group, version: definition.version, kind: name },
          resource: { group, version: definition.version, resource: plural },
          ...(row.update?.through ? { subResource: row.update.through } : {}),
          name: object.metadata.name,
          namespace,
          operation: old === undefined ? 'CREATE' : 'UPDATE',
          userInfo: { username: 'somebody', groups: ['system:authenticated'] },
          object: { ...object, apiVersion },
          oldObject: old === undefined ? null : { ...old, apiVersion },
          dryRun: false,
          options: null,
        },
      })
      if (code !== 200 || !isJsonObject(body.response)) throw new Error(`the webhook answers ${code}: ${text}`)
      const { uid, allowed, status } = body.response as {
        uid: string
        allowed: boolean
        status?: { code: number; message: string; details?: { causes?: StatusCause[] } }
      }
      if (uid !== `review-${namespace}`) throw new Error(`the answer is to ${uid}`)
      if (allowed === (status !== undefined)) throw new Error(`neither allowed nor refused: ${text}`)
      return status === undefined ? 'accepted' : verdictOf(row, status.code, status.message, status.details?.causes)
    },
    async close() {
      await running.close()
      await informers.close()
      await bench.close()
    },
  }
}

/** Waits until an informer has an object as it was stored. */
async function seen(informers: Informers, kind: ResourceDefinition | undefined, object: KubeObject): Promise<void> {
  if (kind === undefined) throw new Error('an object of no kind')
  const informer = informers.of(kind)
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = () => {
    if (informer.get(keyOf(object))?.metadata.resourceVersion === object.metadata.resourceVersion) resolve()
  }
  informer.onChange(look)
  look()
  await promise
}
