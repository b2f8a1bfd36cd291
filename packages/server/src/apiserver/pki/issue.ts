import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import type { Pair } from './certificates.ts'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }
/** Clocks differ a little; a certificate from the future is refused by clients. */
const clockSkewMs = 5 * 60_000

x509.cryptoProvider.set(webcrypto)

/** A new certificate authority. */
export async function makeAuthority(notBefore: Date, notAfter: Date): Promise<Pair> {
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: 'CN=stillpoint-ca',
    notBefore: new Date(notBefore.getTime() - clockSkewMs),
    notAfter,
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** A serving certificate for these host names and addresses. */
export function makeServing(authority: Pair, names: readonly string[], notBefore: Date, notAfter: Date): Promise<Pair> {
  return makeLeaf(authority, { notBefore, notAfter, subject: 'CN=stillpoint' }, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) ? ('ip' as const) : ('dns' as const), value })),
    ),
  ])
}

/** A certificate that says who a client is. */
export function makeClient(
  authority: Pair,
  { user, groups }: { user: string; groups: readonly string[] },
  notBefore: Date,
  notAfter: Date,
): Promise<Pair> {
  // As typed values: in the text form, a name could be read as several or as bytes.
  const subject = new x509.Name([
    ...groups.map((utf8String) => ({ O: [{ utf8String }] })),
    { CN: [{ utf8String: user }] },
  ])
  return makeLeaf(authority, { notBefore, notAfter, subject }, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ])
}

async function makeLeaf(
  authority: Pair,
  { notBefore, ...rest }: { notBefore: Date; notAfter: Date; subject: string | x509.Name },
  extensions: x509.Extension[],
): Promise<Pair> {
  const issuer = new x509.X509Certificate(authority.cert)
  const keys = await generateKeys()
  const certificate = await x509.X509CertificateGenerator.create({
    ...rest,
    serialNumber: serialNumber(),
    issuer: issuer.subject,
    notBefore: new Date(notBefore.getTime() - clockSkewMs),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...extensions,
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

function generateKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<CryptoKeyPair>
}

async function exportKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

function importKey(pem: string): Promise<CryptoKey> {
  const [der] = x509.PemConverter.decode(pem)
  if (!der) throw new Error('ca.key holds no private key; remove ca.key and ca.crt to get a new authority')
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}

// Positive and at most 20 bytes, as RFC 5280 wants it.
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}
