import { createHash, type Hash, timingSafeEqual } from 'node:crypto'
import { lookup } from 'node:dns'
import { createReadStream, createWriteStream } from 'node:fs'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BlockList, isIP } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { RefusedError } from './fill-error.ts'
import { limitBytes } from './limit-bytes.ts'

export interface DownloadOptions {
  url: string
  /** `name: value` */
  headers: readonly string[]
  credentials?: { user: string; password: string }
  /** PEM; the system's authorities when absent. */
  ca?: string
  insecure: boolean
  maxBytes: number
  signal: AbortSignal
  /** Percent, when the server says how much is to come. */
  onProgress(percent: number): void
}

const redirectLimit = 10
/** A server that sends nothing for so long is given up. */
const silenceMs = 60_000

// Addresses behind which machines find their own credentials. Nobody keeps disk images there.
const refusedAddresses = new BlockList()
refusedAddresses.addSubnet('169.254.0.0', 16, 'ipv4')
refusedAddresses.addSubnet('fe80::', 10, 'ipv6')

/** Fetches an address into a file. Follows a few redirects, to http and https only. */
export async function download(to: string, options: DownloadOptions): Promise<void> {
  const origin = new URL(options.url).origin
  let url = new URL(options.url)
  for (let redirects = 0; ; redirects += 1) {
    const response = await get(url, options, url.origin === origin)
    const code = response.statusCode ?? 0
    const { location } = response.headers
    if (code >= 300 && code < 400 && location !== undefined) {
      response.destroy()
      if (redirects === redirectLimit)
        throw new RefusedError(`${options.url} redirects more than ${redirectLimit} times`)
      if (!URL.canParse(location, url.href)) throw new RefusedError(`${url.href} redirects to no address`)
      url = new URL(location, url)
      continue
    }
    if (code !== 200) {
      response.destroy()
      const message = `${url.href} answers ${code} ${response.statusMessage ?? ''}`.trim()
      if (code >= 400 && code < 500 && ![408, 425, 429].includes(code)) throw new RefusedError(message)
      throw new Error(message)
    }
    await save(response, to, options)
    return
  }
}

async function save(
  response: IncomingMessage,
  to: string,
  { maxBytes, signal, onProgress }: DownloadOptions,
): Promise<void> {
  const expected = Number(response.headers['content-length'] ?? Number.NaN)
  const tooLarge = `the image is larger than the ${maxBytes} bytes the volume can take; ask for a larger volume`
  if (expected > maxBytes) {
    response.destroy()
    throw new RefusedError(tooLarge)
  }
  let received = 0
  const limit = limitBytes(maxBytes, tooLarge, (total) => {
    received = total
    if (expected > 0) onProgress((100 * total) / expected)
  })
  await pipeline(response, limit, createWriteStream(to, { mode: 0o600 }), { signal })
  if (expected >= 0 && received !== expected) throw new Error(`only ${received} of ${expected} bytes arrived`)
}

function get(url: URL, options: DownloadOptions, sameOrigin: boolean): Promise<IncomingMessage> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new RefusedError(`${url.href} is not an http:// or https:// address`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isRefused(host)) throw new RefusedError(`${url.href}: link-local addresses are not imported from`)
  const headers: Record<string, string> = { 'user-agent': 'stillpoint', 'accept-encoding': 'identity' }
  // What is secret was given for one server only.
  if (sameOrigin) {
    for (const header of options.headers) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(header) ?? []
      if (name === undefined || value === undefined)
        throw new RefusedError('an entry of extraHeaders is not of the form `Name: value`')
      headers[name.toLowerCase()] = value
    }
    const { credentials } = options
    if (credentials)
      headers.authorization = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`
  }
  const settings: RequestOptions & { ca?: string; rejectUnauthorized?: boolean } = {
    headers,
    signal: options.signal,
    timeout: silenceMs,
    lookup: guardedLookup,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
    ...(options.insecure ? { rejectUnauthorized: false } : {}),
  }
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, settings, resolve)
    request.once('timeout', () => request.destroy(new Error(`${url.host} sent nothing for ${silenceMs} ms`)))
    request.once('error', (cause) =>
      reject(cause instanceof RefusedError ? cause : new Error(`get ${url.href}`, { cause })),
    )
    request.end()
  })
}

const guardedLookup: NonNullable<RequestOptions['lookup']> = (host, options, done) => {
  lookup(host, { ...options, all: true }, (error, addresses) => {
    if (error) return done(error, '', 4)
    if (addresses.some(({ address }) => isRefused(address)))
      return done(new RefusedError(`${host}: link-local addresses are not imported from`), '', 4)
    const [first] = addresses
    if (options.all) (done as unknown as (error: null, all: typeof addresses) => void)(null, addresses)
    else done(null, first?.address ?? '', first?.family ?? 4)
  })
}

function isRefused(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && refusedAddresses.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** Compares a file with `algorithm:hex`. */
export async function verifyChecksum(path: string, checksum: string, signal: AbortSignal): Promise<void> {
  const [, algorithm = '', digest = ''] = /^(md5|sha1|sha256|sha512):([0-9a-fA-F]+)$/.exec(checksum.trim()) ?? []
  if (digest === '')
    throw new RefusedError(`checksum '${checksum}' is not of the form sha256:<hex> (md5, sha1, sha256, sha512)`)
  const hash: Hash = createHash(algorithm)
  await pipeline(createReadStream(path), hash, { signal })
  const found = hash.digest()
  const wanted = Buffer.from(digest, 'hex')
  if (found.length !== wanted.length || !timingSafeEqual(found, wanted))
    throw new RefusedError(
      `the ${algorithm} checksum of the image is ${found.toString('hex')}, not the ${digest} it should be`,
    )
}
