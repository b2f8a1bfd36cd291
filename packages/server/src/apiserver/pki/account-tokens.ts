import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writePrivate } from './private-file.ts'

/** Who signs tokens of ServiceAccounts, and for whom they are unless something else is asked for. */
export const tokenIssuer = 'https://kubernetes.default.svc'

/** Who signs those that are kept in a Secret: the name says that they have no end of their own. */
const keptIssuer = 'kubernetes/serviceaccount'

interface NamedObject {
  name: string
  uid: string
}

/** What a token says of itself, once its signature has been found good. */
export interface AccountClaims {
  namespace: string
  account: NamedObject
  /** The Secret with which it ends. */
  secret?: NamedObject | undefined
  /** The Secret that must hold it. */
  keptIn?: string
  audiences: readonly string[]
  id?: string
  from?: Date
  expires?: Date
}

const namedObject = z.object({ name: z.string(), uid: z.string() })
const boundShape = z
  .object({
    iss: z.literal(tokenIssuer),
    aud: z.array(z.string()),
    exp: z.number(),
    nbf: z.number(),
    jti: z.string(),
    'kubernetes.io': z.object({ namespace: z.string(), serviceaccount: namedObject, secret: namedObject.optional() }),
  })
  .transform(
    ({ aud, exp, nbf, jti, 'kubernetes.io': { namespace, serviceaccount, secret } }): AccountClaims => ({
      namespace,
      account: serviceaccount,
      secret,
      audiences: aud,
      id: jti,
      from: new Date(Math.floor(nbf) * 1_000),
      expires: new Date(exp * 1_000),
    }),
  )
const keptShape = z
  .object({
    iss: z.literal(keptIssuer),
    'kubernetes.io/serviceaccount/namespace': z.string(),
    'kubernetes.io/serviceaccount/secret.name': z.string(),
    'kubernetes.io/serviceaccount/service-account.name': z.string(),
    'kubernetes.io/serviceaccount/service-account.uid': z.string(),
  })
  .transform(
    (claims): AccountClaims => ({
      namespace: claims['kubernetes.io/serviceaccount/namespace'],
      account: {
        name: claims['kubernetes.io/serviceaccount/service-account.name'],
        uid: claims['kubernetes.io/serviceaccount/service-account.uid'],
      },
      keptIn: claims['kubernetes.io/serviceaccount/secret.name'],
      audiences: [tokenIssuer],
    }),
  )
const claimsShape = z.union([boundShape, keptShape])

export interface AccountTokenRequest {
  namespace: string
  account: NamedObject
  secret?: NamedObject | undefined
  audiences: readonly string[]
  seconds: number
  now: Date
}

const algorithm = 'ES256'
const rememberedTokens = 1_000

/** Signs and reads the tokens of ServiceAccounts: JWTs, ES256. Whether the account still exists is asked elsewhere. */
export class AccountTokens {
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string
  /** Claims by digest of the token. A signature costs more than all else in a small request. */
  readonly #read = new Map<string, AccountClaims>()

  constructor(privateKeyPem: string) {
    this.#privateKey = createPrivateKey(privateKeyPem)
    this.#publicKey = createPublicKey(this.#privateKey)
    this.#keyId = digest(this.#publicKey.export({ type: 'spki', format: 'der' }))
  }

  /** The key that verifies them, as a JSON Web Key. */
  get publicKey() {
    return { use: 'sig', kid: this.#keyId, alg: algorithm, ...this.#publicKey.export({ format: 'jwk' }) }
  }

  issue({ namespace, account, secret, audiences, seconds, now }: AccountTokenRequest): {
    token: string
    expires: Date
  } {
    const issued = Math.floor(now.getTime() / 1_000)
    const exp = issued + seconds
    const token = this.#signed({
      iss: tokenIssuer,
      sub: subjectOf(namespace, account),
      aud: [...audiences],
      iat: issued,
      nbf: issued,
      exp,
      jti: randomUUID(),
      'kubernetes.io': { namespace, serviceaccount: account, ...(secret ? { secret } : {}) },
    })
    return { token, expires: new Date(exp * 1_000) }
  }

  /** A token for a Secret, good while it is in there. */
  issueKept({ namespace, account, secret }: { namespace: string; account: NamedObject; secret: string }): string {
    return this.#signed({
      iss: keptIssuer,
      sub: subjectOf(namespace, account),
      'kubernetes.io/serviceaccount/namespace': namespace,
      'kubernetes.io/serviceaccount/secret.name': secret,
      'kubernetes.io/serviceaccount/service-account.name': account.name,
      'kubernetes.io/serviceaccount/service-account.uid': account.uid,
    })
  }

  /** The claims of a token of ours that is valid now. */
  read(token: string, now: Date): AccountClaims | undefined {
    const key = digest(token)
    const claims = this.#read.get(key) ?? this.#verified(token)
    if (!claims) return undefined
    if (!this.#read.has(key) && this.#read.size >= rememberedTokens) this.#read.clear()
    this.#read.set(key, claims)
    const { from, expires } = claims
    return (from && now < from) || (expires && now >= expires) ? undefined : claims
  }

  #signed(claims: object): string {
    const head = { alg: algorithm, kid: this.#keyId, typ: 'JWT' }
    const signed = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(signed), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' })
    return `${signed}.${signature.toString('base64url')}`
  }

  // Nothing of the head is believed: there is one key and one algorithm.
  #verified(token: string): AccountClaims | undefined {
    const [head = '', body = '', signature = '', ...more] = token.split('.')
    if (more.length > 0 || body === '' || signature === '') return undefined
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' as const }
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined
    return claimsShape.parse(JSON.parse(Buffer.from(body, 'base64url').toString()))
  }
}

/** Reads `sa.key`, or makes it. Without the file, all tokens given out so far are worth nothing. */
export async function loadAccountTokens(directory: string): Promise<AccountTokens> {
  const path = join(directory, 'sa.key')
  let pem: string
  try {
    pem = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await writePrivate(path, pem)
  }
  try {
    return new AccountTokens(pem)
  } catch (error) {
    throw new Error(`${path} holds no private key; remove it to get a new one, which ends all tokens of accounts`, {
      cause: error,
    })
  }
}

function subjectOf(namespace: string, { name }: NamedObject): string {
  return `system:serviceaccount:${namespace}:${name}`
}

function digest(data: string | Buffer): string {
  return hash('sha256', data, 'base64url')
}
