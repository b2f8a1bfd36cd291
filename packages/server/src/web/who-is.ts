import { SelfSubjectReview } from '@stillpoint/api/core/reviews'
import { failure, StatusError } from '@stillpoint/api/meta/status-error'
import { apiVersionOf, type ObjectOf } from '@stillpoint/api/schema/resource'
import { collectionOf } from '../kube/client.ts'
import { type Connection, Transport, TransportError } from '../kube/transport.ts'
import type { Identity, User } from './identity.ts'

/** Asks an API who an identity is (SelfSubjectReview, Kubernetes 1.28); undefined when it does not know it. */
export async function whoIs(connection: Connection, identity: Identity): Promise<User | undefined> {
  const transport = new Transport(connectionAs(connection, identity))
  try {
    const body = { apiVersion: apiVersionOf(SelfSubjectReview), kind: SelfSubjectReview.kind }
    const answer = await transport.request({ method: 'POST', path: collectionOf(SelfSubjectReview), body })
    const { username = '', groups = [] } = (answer as ObjectOf<typeof SelfSubjectReview>).status?.userInfo ?? {}
    return { username, groups }
  } catch (error) {
    if (error instanceof TransportError)
      throw failure(503, 'ServiceUnavailable', `the Kubernetes API at ${connection.server} cannot be reached`)
    if (!(error instanceof StatusError)) throw error
    if (error.code === 401) return undefined
    if (error.code === 404)
      throw failure(501, 'NotImplemented', 'the Kubernetes API cannot tell whose a token is; it must be 1.28 or newer')
    throw error
  } finally {
    transport.close()
  }
}

/** The same API, reached as somebody. Whoever brings a token must not be taken for the owner of a client certificate. */
export function connectionAs(connection: Connection, identity: Identity): Connection {
  if (identity.kind === 'kubeconfig') return connection
  const headers = { authorization: `Bearer ${identity.token}` }
  return { ...connection, cert: undefined, key: undefined, authorize: () => headers }
}
