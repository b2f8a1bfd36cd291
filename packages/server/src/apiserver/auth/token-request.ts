import { TokenRequest, type TokenRequest as TokenRequestObject } from '@stillpoint/api/core/reviews'
import { type KubeObject, uidOf } from '@stillpoint/api/meta/object-meta'
import type { SubresourceHandler } from '../http/extensions.ts'
import { type AccountTokens, tokenIssuer } from '../pki/account-tokens.ts'
import { decodeObject } from '../registry/decode-object.ts'
import {
  badRequest,
  conflict,
  type FieldError,
  fieldError,
  invalid,
  methodNotAllowed,
  notFound,
} from '../registry/errors.ts'

const shortestSeconds = 600
const defaultSeconds = 3_600
/** Longer ones are shortened, and the answer says to when. */
const longestSeconds = 365 * 24 * 3_600
const askableSeconds = 2 ** 32

type Spec = NonNullable<TokenRequestObject['spec']>
type BoundObject = NonNullable<Spec['boundObjectRef']>

interface Source {
  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined
}

/** `POST serviceaccounts/NAME/token`: gives out a token of the account. */
export function tokenRequests(source: Source, tokens: AccountTokens, now: () => Date): SubresourceHandler {
  return async ({ namespace, name, method, body, user }) => {
    if (method !== 'POST') throw methodNotAllowed()
    const definition = TokenRequest
    const call = { definition, version: 'v1', namespace, user, dryRun: false, fieldValidation: 'Ignore' } as const
    const { spec = {} } = decodeObject({ ...call, warn: () => {} }, body ?? {}) as TokenRequestObject
    const { expirationSeconds = defaultSeconds, boundObjectRef, audiences: asked = [] } = spec
    const errors = lifetimeErrors(expirationSeconds)
    if (errors.length > 0) throw invalid(definition, '', errors)
    const account = source.get('/serviceaccounts', namespace, name)
    if (!account) throw notFound({ group: '', plural: 'serviceaccounts', kind: 'ServiceAccount' }, name)
    const secret = boundObjectRef ? boundSecret(source, namespace, boundObjectRef) : undefined
    const audiences = asked.length > 0 ? asked : [tokenIssuer]
    const seconds = Math.min(expirationSeconds, longestSeconds)
    const uid = uidOf(account)
    const { token, expires } = tokens.issue({
      namespace,
      account: { name, uid },
      secret,
      audiences,
      seconds,
      now: now(),
    })
    return {
      code: 201,
      body: {
        kind: 'TokenRequest',
        apiVersion: 'authentication.k8s.io/v1',
        metadata: { name, namespace, creationTimestamp: `${now().toISOString().slice(0, 19)}Z` },
        spec: { audiences, expirationSeconds: seconds, boundObjectRef: boundObjectRef ?? null },
        status: { token, expirationTimestamp: `${expires.toISOString().slice(0, 19)}Z` },
      },
    }
  }
}

function lifetimeErrors(seconds: number): FieldError[] {
  const path = 'spec.expirationSeconds'
  if (seconds < shortestSeconds)
    return [fieldError('invalid', path, 'may not specify a duration less than 10 minutes', seconds)]
  if (seconds > askableSeconds)
    return [fieldError('invalid', path, 'may not specify a duration larger than 2^32 seconds', seconds)]
  return []
}

function boundSecret(source: Source, namespace: string, { kind, apiVersion, name = '', uid = '' }: BoundObject) {
  if (kind !== 'Secret' || (apiVersion ?? 'v1') !== 'v1')
    throw badRequest(`cannot bind token for serviceaccount to object of kind ${kind ?? ''}; use a Secret of v1`)
  const of = { group: '', plural: 'secrets', kind: 'Secret' }
  const secret = source.get('/secrets', namespace, name)
  if (!secret) throw notFound(of, name)
  const actual = uidOf(secret)
  if (uid !== '' && uid !== actual)
    throw conflict(
      of,
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record (${actual})`,
    )
  return { name, uid: actual }
}
