import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { writePrivate } from './private-file.ts'

export interface ServingCertificate {
  /** PEM of the authority clients trust. */
  ca: string
  cert: string
  key: string
}

const dayMs = 24 * 3_600_000
const authorityDays = 3_650
const servingDays = 365
const renewBeforeMs = 30 * dayMs
const alwaysNamed = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']

/**
 * The serving certificate for a host, signed by an authority of our own. Made at first start and again when it is
 * about to expire or does not name the host; the authority stays, so kubeconfigs keep working.
 */
export async function loadCertificates(directory: string, host: string, now: Date): Promise<ServingCertificate> {
  const names = [...new Set([...alwaysNamed, hostname(), ...(host === '0.0.0.0' || host === '::' ? [] : [host])])]
  const authority = await readAuthority(directory)
  const serving = await readPair(directory, 'server')
  if (authority && serving && isFresh(authority.cert, now) && isFresh(serving.cert, now) && covers(serving.cert, names))
    if (new X509Certificate(serving.cert).verify(new X509Certificate(authority.cert).publicKey))
      return { ca: authority.cert, ...serving }

  // Loaded only now: most starts need no new certificate, and the library is not small.
  const { makeAuthority, makeServing } = await import('./issue.ts')
  const issuer =
    authority && isFresh(authority.cert, now)
      ? authority
      : await makeAuthority(now, new Date(now.getTime() + authorityDays * dayMs))
  if (issuer !== authority) await writePair(directory, 'ca', issuer)
  const made = await makeServing(issuer, names, now, new Date(now.getTime() + servingDays * dayMs))
  await writePair(directory, 'server', made)
  return { ca: issuer.cert, ...made }
}

/** The authority that signs certificates, with its key. Undefined where no server has been started yet. */
export function readAuthority(directory: string): Promise<Pair | undefined> {
  return readPair(directory, 'ca')
}

export interface Pair {
  cert: string
  key: string
}

function isFresh(pem: string, now: Date): boolean {
  return new X509Certificate(pem).validToDate.getTime() - now.getTime() > renewBeforeMs
}

function covers(pem: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem)
  return names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined)
}

async function readPair(directory: string, name: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all(
      ['crt', 'key'].map((extension) => readFile(join(directory, `${name}.${extension}`), 'utf8')),
    )
    return cert === undefined || key === undefined ? undefined : { cert, key }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

// The key first: a certificate without its key would look complete after a crash.
async function writePair(directory: string, name: string, { cert, key }: Pair): Promise<void> {
  await writePrivate(join(directory, `${name}.key`), key)
  await writePrivate(join(directory, `${name}.crt`), cert)
}
