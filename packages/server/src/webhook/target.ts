/** How an API server reaches the webhooks. */
export type Target = { url: string } | { service: { namespace: string; name: string } }

/** Reads `--webhook-url` or `--webhook-service`; undefined when neither is given: then nothing is registered. */
export function parseTarget(url: string | undefined, service: string | undefined): Target | undefined {
  if (url !== undefined && service !== undefined)
    throw new Error('--webhook-url and --webhook-service exclude each other: give one')
  if (url !== undefined) return { url: parseUrl(url) }
  if (service === undefined) return undefined
  const [namespace = '', name = '', ...more] = service.split('/')
  if (more.length > 0 || !isLabel(namespace) || !isLabel(name))
    throw new Error(`--webhook-service '${service}' is not NAMESPACE/NAME; for example kubevirt/stillpoint-webhook`)
  return { service: { namespace, name } }
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new Error(`--webhook-url '${text}' is not an https address; for example https://10.0.0.5:9443`)
  return url.href.replace(/\/$/, '')
}

function isLabel(text: string): boolean {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
}

/** The names an API server expects in the certificate. */
export function namesOf(target: Target | undefined): string[] {
  if (target === undefined) return []
  if ('url' in target) return [new URL(target.url).hostname.replace(/^\[(.*)\]$/, '$1')]
  const { namespace, name } = target.service
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`]
}
