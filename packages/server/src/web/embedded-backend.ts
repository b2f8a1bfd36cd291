import type { HttpRequest } from '../apiserver/http/body.ts'
import type { Served } from '../apiserver/http/extensions.ts'
import type { Backend, Forward } from './backend.ts'
import type { Identity } from './identity.ts'

export interface EmbeddedOptions {
  api: Served
  whoIs: Backend['whoIs']
}

/** The API server in this process: it answers the request itself, which is given the address and token it is to have. */
export function embeddedBackend({ api, whoIs }: EmbeddedOptions): Backend {
  return {
    mode: 'embedded',
    whoIs,
    forward: async ({ request, response, ...to }) => {
      readdress(request, to)
      await api.handle(request, response)
      return response.statusCode
    },
    upgrade: async ({ request, socket, head, ...to }) => {
      readdress(request, to)
      return api.upgrade(request, socket, head)
    },
    close: () => {},
  }
}

function readdress(request: HttpRequest, { url, identity }: Pick<Forward, 'url' | 'identity'>): void {
  request.url = url
  delete request.headers.cookie
  if (!identity) return
  request.headers.authorization = `Bearer ${tokenOf(identity)}`
  // Some browsers do not say that they are one. The API must know: a certificate that they show counts for nothing there.
  request.headers['sec-fetch-site'] ??= 'same-origin'
}

function tokenOf(identity: Identity): string {
  if (identity.kind === 'token') return identity.token
  throw new Error('a server has no kubeconfig of its own')
}
