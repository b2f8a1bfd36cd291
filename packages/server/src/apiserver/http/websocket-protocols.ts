import { badRequest, unauthorized } from '../registry/errors.ts'

/** The subprotocol of KubeVirt's streams: bytes in binary messages, whose borders mean nothing. */
export const plainProtocol = 'plain.kubevirt.io'
const tokenPrefix = 'base64url.bearer.authorization.k8s.io.'

export interface OfferedProtocols {
  /** What is left for the conversation itself. */
  protocols: readonly string[]
  /** A bearer token, from clients that cannot send a header: browsers. */
  token: string | undefined
}

/**
 * Reads the header `Sec-WebSocket-Protocol`. As in Kubernetes, a token is no protocol to agree on: another one has to be
 * offered beside it, because what the server chooses is sent back.
 */
export function offeredProtocols(header: string | undefined): OfferedProtocols {
  const offered = (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  const tokens = offered.filter((name) => name.startsWith(tokenPrefix)).map((name) => name.slice(tokenPrefix.length))
  const protocols = offered.filter((name) => !name.startsWith(tokenPrefix))
  const [encoded] = tokens
  if (encoded === undefined) return { protocols, token: undefined }
  if (tokens.length > 1) throw badRequest('Sec-WebSocket-Protocol: only one bearer token may be offered')
  if (protocols.length === 0)
    throw badRequest(`Sec-WebSocket-Protocol: offer another protocol beside the token, such as ${plainProtocol}`)
  const token = Buffer.from(encoded, 'base64url').toString('utf8')
  // What cannot be decoded, or cannot stand in a header, is no token of anybody.
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(encoded) || !/^[\x21-\x7e]+$/.test(token)) throw unauthorized()
  return { protocols, token }
}
