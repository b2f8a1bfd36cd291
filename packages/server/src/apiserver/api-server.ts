import { join } from 'node:path'
import { rbacKinds } from '@stillpoint/api/core/rbac'
import { reviewKinds } from '@stillpoint/api/core/reviews'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Logger } from 'pino'
import { AuditLog } from './audit/audit-log.ts'
import { AggregationController, aggregateAll } from './auth/aggregation.ts'
import { Authenticator } from './auth/authenticator.ts'
import { Authorizer } from './auth/authorizer.ts'
import { keepDefaultRoles } from './auth/bootstrap-roles.ts'
import { ClientCertificates } from './auth/client-certificates.ts'
import { DefaultAccounts, ensureDefaultAccounts } from './auth/default-accounts.ts'
import { issuerDocuments } from './auth/issuer-documents.ts'
import { rbacAdmission } from './auth/rbac-admission.ts'
import { tokenRequests } from './auth/token-request.ts'
import { TokenSecrets } from './auth/token-secrets.ts'
import { createInitialNamespaces } from './bootstrap.ts'
import { discoveryRoutes } from './discovery/handler.ts'
import { expireEvents } from './gc/event-expiry.ts'
import { GarbageCollector } from './gc/garbage-collector.ts'
import { NamespaceController } from './gc/namespace-controller.ts'
import type { RawHandler, Served, StreamHandler, SubresourceHandler } from './http/extensions.ts'
import { type Discovery, Handler, type RequestFacts } from './http/handler.ts'
import { Listener, servedBy } from './http/listener.ts'
import { ResourceRoutes } from './http/resource-routes.ts'
import { Periodic } from './periodic.ts'
import { loadAccountTokens } from './pki/account-tokens.ts'
import { loadCertificates } from './pki/certificates.ts'
import { kubeconfig } from './pki/kubeconfig.ts'
import { adminUser, controllerUser, loadTokens } from './pki/tokens.ts'
import type { Admission } from './registry/admission.ts'
import { coreAdmission } from './registry/core-admission.ts'
import { Registry } from './registry/registry.ts'
import { CompactionPlan } from './store/compaction.ts'
import { SqliteStore } from './store/sqlite-store.ts'
import { WatchCache } from './watch/watch-cache.ts'

export type { RawHandler, StreamHandler, SubresourceCall, SubresourceHandler } from './http/extensions.ts'
export type { Admission, AdmissionCall, Operation, Reader, UserInfo } from './registry/admission.ts'

const minuteMs = 60_000

export interface ApiServerOptions {
  /** Holds `store.sqlite`, and keys and tokens under `pki`; readable by its owner only. */
  dataDir: string
  /** Port 0 takes a free one. */
  listen: { host: string; port: number }
  resources: readonly ResourceDefinition[]
  admission?: readonly Admission[]
  /** By `group/resource/subresource`; may be filled later. */
  subresources: Map<string, SubresourceHandler>
  /** WebSockets, by `group/resource/subresource`; may be filled later. */
  streams?: ReadonlyMap<string, StreamHandler>
  log: Logger
  now?: () => Date
  /** By path prefix; may be filled later. */
  routes?: Map<string, RawHandler>
  /** Puts something before the API that sees every request first; it hands on what is not its own. */
  front?: ((api: Served) => Served) | undefined
  /** Where it is written down who asked for what; nowhere when absent. */
  auditDir?: string | undefined
  /** Told of every request that was answered. */
  answered?: ((facts: RequestFacts) => void) | undefined
}

export interface ApiServer {
  /** `https://127.0.0.1:PORT` */
  url: string
  /** PEM of the authority that signed the serving certificate. */
  ca: string
  /** For the administrator, with a bearer token. */
  adminKubeconfig: string
  /** The token in it. */
  adminToken: string
  /** For the controllers in this process. */
  controllerToken: string
  /** Copies the store to a new file while it is in use. */
  backup(path: string): Promise<void>
  /** Ends watches, lets running requests finish, closes the store. */
  close(): Promise<void>
}

/** Starts the embedded API server; when it resolves, every kind is served. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { dataDir, listen, resources, subresources, log, now = () => new Date() } = options
  const { streams = new Map(), routes: raw = new Map() } = options
  const pkiDir = join(dataDir, 'pki')
  const [tokens, accountTokens, certificate] = await Promise.all([
    loadTokens(pkiDir),
    loadAccountTokens(pkiDir),
    loadCertificates(pkiDir, listen.host, now()),
  ])
  const store = new SqliteStore(join(dataDir, 'store.sqlite'))
  const cache = new WatchCache(store, resources)
  const authorizer = new Authorizer(cache)
  const admission = [...coreAdmission, ...rbacAdmission(authorizer), ...(options.admission ?? [])]
  const registry = new Registry({ store, cache, admission, authorize: authorizer.check, now })
  const hasRoles = rbacKinds.every((kind) => (resources as readonly object[]).includes(kind))
  if (hasRoles) {
    await keepDefaultRoles({ cache, registry })
    await aggregateAll({ cache, registry })
  }
  const core = (wanted: string) => resources.find(({ group, plural }) => group === '' && plural === wanted)
  const [namespaces, events, accounts] = [core('namespaces'), core('events'), core('serviceaccounts')]
  const secrets = core('secrets')
  if (namespaces) await createInitialNamespaces(registry, namespaces)
  const accountParts = namespaces && accounts && { cache, registry, namespaces, accounts }
  if (accountParts) await ensureDefaultAccounts(accountParts)
  const compaction = new CompactionPlan()
  const tasks = [
    new GarbageCollector({ cache, registry, resources, log }),
    ...(hasRoles ? [new AggregationController({ cache, registry, log })] : []),
    ...(namespaces ? [new NamespaceController({ cache, registry, namespaces, resources, log, now })] : []),
    ...(accountParts ? [new DefaultAccounts({ ...accountParts, log })] : []),
    ...(accounts && secrets
      ? [new TokenSecrets({ cache, registry, secrets, tokens: accountTokens, ca: certificate.ca, log })]
      : []),
    ...(events
      ? [new Periodic(minuteMs, 'event expiry', () => expireEvents({ cache, registry, events, now: now() }), log)]
      : []),
    new Periodic(5 * minuteMs, 'compaction', () => store.compact(compaction.target(now(), store.revision)), log),
  ]
  const audit = options.auditDir === undefined ? undefined : new AuditLog({ directory: options.auditDir, log })
  const closing = new AbortController()
  let url = ''
  const routes = new ResourceRoutes({ registry, cache, now })
  const certificates = new ClientCertificates(certificate.ca)
  const authenticator = new Authenticator({ tokens, accountTokens, certificates, source: cache, now })
  if (accounts) subresources.set('/serviceaccounts/token', tokenRequests(cache, accountTokens, now))
  const served = hasRoles ? [...resources, ...reviewKinds] : resources
  const documents = discoveryRoutes(served, () => [...subresources.keys(), ...streams.keys()])
  const issuer = issuerDocuments(accountTokens, () => url)
  const discovery: Discovery = (path, accept) => issuer(path) ?? documents(path, accept)
  const handler = new Handler({
    resources: served,
    routes,
    subresources,
    streams,
    raw,
    discovery,
    authenticator,
    authorizer,
    log,
    closing: closing.signal,
    audit,
    now,
    answered: options.answered,
  })
  const api = servedBy(handler)
  const listener = new Listener(options.front?.(api) ?? api, certificate)
  const close = async () => {
    closing.abort()
    await listener.close()
    await Promise.all(tasks.map((task) => task.close()))
    await audit?.close()
    await store.close()
  }
  const port = await listener.listen(listen.host, listen.port).catch(async (error: unknown) => {
    await close()
    throw new Error(`cannot listen on ${listen.host}:${listen.port}`, { cause: error })
  })
  const adminToken = tokens.tokenOf(adminUser)
  url = `https://${reachable(listen.host)}:${port}`
  log.info({ url, revision: store.revision }, 'api server started')
  return {
    url,
    ca: certificate.ca,
    adminKubeconfig: kubeconfig({
      server: url,
      ca: certificate.ca,
      user: adminUser,
      credential: { token: adminToken },
    }),
    adminToken,
    controllerToken: tokens.tokenOf(controllerUser),
    backup: (path) => store.backup(path),
    close,
  }
}

function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
