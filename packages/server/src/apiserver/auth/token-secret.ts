import type { Secret } from '@stillpoint/api/core/config'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'

/** A Secret of this type holds a token of the ServiceAccount an annotation names. */
export const tokenSecretType = 'kubernetes.io/service-account-token'
export const accountAnnotation = 'kubernetes.io/service-account.name'
export const accountUidAnnotation = 'kubernetes.io/service-account.uid'

export function isTokenSecret(object: KubeObject | undefined): object is Secret {
  return (object as Secret | undefined)?.type === tokenSecretType
}

/** The token in a Secret of that type. */
export function tokenIn(object: KubeObject | undefined): string | undefined {
  const token = isTokenSecret(object) ? object.data?.token : undefined
  return token === undefined ? undefined : Buffer.from(token, 'base64').toString()
}
