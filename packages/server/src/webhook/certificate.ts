import { hostname } from 'node:os'

export interface ServingCertificate {
  /** PEM of the authority to trust; undefined where the cluster's own trust is to do. */
  ca: string | undefined
  cert: string
  key: string
}

const validMs = 10 * 365 * 24 * 3_600_000

/** A certificate for these names, by an authority that nobody else uses and whose key is forgotten at once. */
export async function makeCertificate(names: readonly string[], now: Date): Promise<ServingCertificate> {
  // Loaded only where it is needed: the library is not small.
  const { makeAuthority, makeServing } = await import('../apiserver/pki/issue.ts')
  const end = new Date(now.getTime() + validMs)
  const authority = await makeAuthority(now, end)
  const all = [...new Set(['localhost', '127.0.0.1', '::1', hostname(), ...names])]
  return { ca: authority.cert, ...(await makeServing(authority, all, now, end)) }
}
