import { hash, X509Certificate } from 'node:crypto'
import type { UserInfo } from '../registry/admission.ts'
import type { Identity } from './authenticator.ts'

const clientAuthentication = '1.3.6.1.5.5.7.3.2'

/** What a certificate says, found out once for a connection: a signature costs more than a small request. */
interface Holder {
  user: UserInfo
  from: Date
  to: Date
}

/** Whose a client certificate is. Only our own authority is believed, and only in certificates made for clients. */
export class ClientCertificates {
  readonly #authority: X509Certificate
  readonly #known = new WeakMap<X509Certificate, Holder | 'nobody'>()

  constructor(authorityPem: string) {
    this.#authority = new X509Certificate(authorityPem)
  }

  /** The user is the common name, the groups are the organizations. Undefined for one that proves nothing now. */
  identityOf(certificate: X509Certificate, now: Date): Identity | undefined {
    const holder = this.#known.get(certificate) ?? this.#holderOf(certificate) ?? 'nobody'
    this.#known.set(certificate, holder)
    if (holder === 'nobody' || now < holder.from || now >= holder.to) return undefined
    return { user: holder.user, expires: holder.to }
  }

  #holderOf(certificate: X509Certificate): Holder | undefined {
    const authority = this.#authority
    if (certificate.ca || !certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return
    if (!certificate.keyUsage?.includes(clientAuthentication)) return
    // Not the text form of the subject, in which a name could pretend to be several.
    const { CN, O } = certificate.toLegacyObject().subject
    const [username = ''] = listOf(CN)
    if (username === '') return
    const chain = [certificate, authority]
    return {
      user: {
        username,
        groups: [...listOf(O), 'system:authenticated'],
        // So that the audit log tells which of somebody's certificates it was.
        extra: {
          'authentication.kubernetes.io/credential-id': [`X509SHA256=${hash('sha256', certificate.raw, 'hex')}`],
        },
      },
      from: new Date(Math.max(...chain.map(({ validFromDate }) => validFromDate.getTime()))),
      to: new Date(Math.min(...chain.map(({ validToDate }) => validToDate.getTime()))),
    }
  }
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : [value].flat()
}
