import type { X509Certificate } from 'node:crypto'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { type AccountClaims, type AccountTokens, tokenIssuer } from '../pki/account-tokens.ts'
import type { Tokens } from '../pki/tokens.ts'
import type { UserInfo } from '../registry/admission.ts'
import { serviceAccountUser } from './authorizer.ts'
import type { ClientCertificates } from './client-certificates.ts'
import { tokenIn } from './token-secret.ts'

interface Source {
  get(resource: string, namespace: string | undefined, name: string): KubeObject | undefined
}

/** Who a credential says somebody is, and until when it says so. */
export interface Identity {
  user: UserInfo
  expires?: Date
}

/** What a request shows of who it is from. */
export interface Credentials {
  certificate: X509Certificate | undefined
  token: string | undefined
}

/** Whose a credential is: a client certificate, a static token, or that of a ServiceAccount that is still there. */
export class Authenticator {
  readonly #tokens: Tokens
  readonly #accountTokens: AccountTokens
  readonly #certificates: ClientCertificates
  readonly #source: Source
  readonly #now: () => Date

  constructor(options: {
    tokens: Tokens
    accountTokens: AccountTokens
    certificates: ClientCertificates
    source: Source
    now: () => Date
  }) {
    this.#certificates = options.certificates
    this.#tokens = options.tokens
    this.#accountTokens = options.accountTokens
    this.#source = options.source
    this.#now = options.now
  }

  /** The certificate counts before the token, if it is good. */
  identityOf({ certificate, token }: Credentials): Identity | undefined {
    const holder = certificate && this.#certificates.identityOf(certificate, this.#now())
    return holder ?? (token === undefined ? undefined : this.review(token, []))
  }

  /** The user, if the token is for one of these audiences; without any, for this server. */
  review(token: string, audiences: readonly string[]): (Identity & { audiences: readonly string[] }) | undefined {
    const wanted = audiences.length === 0 ? [tokenIssuer] : audiences
    const matching = (meant: readonly string[]) => wanted.filter((audience) => meant.includes(audience))
    const known = this.#tokens.userOf(token)
    const claims = known ? undefined : this.#accountTokens.read(token, this.#now())
    const user = known ?? (claims && this.#isLive(token, claims) ? accountOf(claims) : undefined)
    const common = matching(claims?.audiences ?? [tokenIssuer])
    if (!user || common.length === 0) return undefined
    return { user, audiences: common, ...(claims?.expires ? { expires: claims.expires } : {}) }
  }

  /** Whether everything is there that a token needs. By UID: another account of the same name is another account. */
  #isLive(token: string, { namespace, account, secret, keptIn }: AccountClaims): boolean {
    const find = (resource: string, name: string) => this.#source.get(resource, namespace, name)
    if (find('/serviceaccounts', account.name)?.metadata.uid !== account.uid) return false
    if (secret && find('/secrets', secret.name)?.metadata.uid !== secret.uid) return false
    return keptIn === undefined || tokenIn(find('/secrets', keptIn)) === token
  }
}

function accountOf({ namespace, account: { name, uid }, id }: AccountClaims): UserInfo {
  return {
    username: serviceAccountUser(namespace, name),
    uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    ...(id === undefined ? {} : { extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${id}`] } }),
  }
}
