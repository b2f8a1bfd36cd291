import { X509Certificate } from 'node:crypto'
import { fchmodSync, fstatSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDurationMs } from '@stillpoint/api/meta/duration'
import { parse } from 'yaml'
import * as z from 'zod'
import { type Pair, readAuthority } from '../apiserver/pki/certificates.ts'
import { whyNotGroup, whyNotUser } from '../apiserver/pki/client-name.ts'
import { kubeconfig } from '../apiserver/pki/kubeconfig.ts'
import { whyNotLabel } from '../apiserver/registry/names.ts'
import { dataDirOf } from './data-dir.ts'

export interface UserKubeconfigOptions {
  user: string
  group: readonly string[]
  /** How long the certificate is good, as a Go duration. */
  expires: string
  namespace: string
  server?: string
  dataDir?: string
}

const named = z.object({ cluster: z.object({ server: z.string() }) })
const ours = z.object({ clusters: z.tuple([named]).rest(named) })

/** Prints a kubeconfig for a user, whom a certificate of the data directory's authority names. */
export async function userKubeconfig(options: UserKubeconfigOptions): Promise<void> {
  const text = await makeUserKubeconfig(options, new Date())
  const { stdout } = process
  // There is a key in it: where it goes to a file, nobody else shall read that.
  if (fstatSync(stdout.fd).isFile()) fchmodSync(stdout.fd, 0o600)
  stdout.write(text)
}

export async function makeUserKubeconfig(options: UserKubeconfigOptions, now: Date): Promise<string> {
  const { user, group: groups, namespace } = options
  refuse('--user', user, whyNotUser(user))
  for (const group of groups) refuse('--group', group, whyNotGroup(group))
  refuse('--namespace', namespace, whyNotLabel(namespace))
  const dir = dataDirOf(options.dataDir)
  const authority = await authorityOf(dir)
  const end = endOf(options.expires, authority, now)
  const server = options.server ?? (await serverOf(dir))
  refuse(
    '--server',
    server,
    /^https:\/\/[^/\s]+$/.test(server) ? undefined : 'it is like https://host.example.com:6443',
  )
  // Loaded only where it is needed: the library is not small.
  const { makeClient } = await import('../apiserver/pki/issue.ts')
  const credential = await makeClient(authority, { user, groups: [...new Set(groups)] }, now, end)
  return kubeconfig({ server, ca: authority.cert, user, credential, namespace, context: `${user}@stillpoint` })
}

async function authorityOf(dir: string): Promise<Pair> {
  const directory = join(dir, 'api/pki')
  const authority = await readAuthority(directory).catch((cause: unknown) => {
    throw new Error(
      `the key of the certificate authority in ${directory} cannot be read; be the user the server runs as`,
      {
        cause,
      },
    )
  })
  if (authority) return authority
  throw new Error(`${directory} has no certificate authority; start the server once: stillpoint up --data-dir ${dir}`)
}

function endOf(expires: string, { cert }: Pair, now: Date): Date {
  const ms = parseDurationMs(expires)
  const last = new X509Certificate(cert).validToDate
  const end = new Date(now.getTime() + (ms ?? 0))
  const why =
    ms === undefined || ms < 1_000
      ? 'it is a duration like 8760h or 30m, of a second or more'
      : end > last
        ? `the certificate authority itself is good until ${last.toISOString()} only`
        : undefined
  refuse('--expires', expires, why)
  return end
}

/** Where the server was last, by the kubeconfig it has written for its administrator. */
async function serverOf(dir: string): Promise<string> {
  const file = join(dir, 'kubeconfig')
  try {
    const [{ cluster }] = ours.parse(parse(await readFile(file, 'utf8'))).clusters
    return cluster.server
  } catch (cause) {
    throw new Error(`${file} does not tell where the server is; say so with --server https://HOST:PORT`, { cause })
  }
}

function refuse(option: string, value: string, why: string | undefined): void {
  if (why !== undefined) throw new Error(`${option} ${JSON.stringify(value)} cannot be: ${why}`)
}
