import { endWith, type HttpResponse, writeHead } from '../apiserver/http/answer.ts'
import type { HttpRequest } from '../apiserver/http/body.ts'
import { parseAccept } from '../apiserver/http/negotiate.ts'
import { type BundleFile, type Encoding, encodings } from './bundle.ts'

/** Answers GET and HEAD with a file, compressed as the client likes, or with 304 when it has it already. */
export async function sendFile(
  request: HttpRequest,
  response: HttpResponse,
  file: BundleFile,
  cacheControl: string,
): Promise<void> {
  const encoding = pick(request.headers['accept-encoding'])
  const packed = encoding && (await file.packed(encoding))
  const body = packed ?? file.bytes
  // Each encoding is another representation, and a tag names one.
  const etag = `"${file.tag}${packed ? `-${encoding}` : ''}"`
  const headers = { ETag: etag, 'Cache-Control': cacheControl, Vary: 'Accept-Encoding' }
  if (matches(request.headers['if-none-match'], etag)) {
    writeHead(response, 304, headers)
    return endWith(response)
  }
  writeHead(response, 200, {
    ...headers,
    'Content-Type': file.type,
    'Content-Length': `${body.length}`,
    ...(packed && encoding ? { 'Content-Encoding': encoding } : {}),
  })
  endWith(response, request.method === 'HEAD' ? undefined : body)
}

/** The best of ours that the client takes. */
function pick(acceptEncoding: string | string[] | undefined): Encoding | undefined {
  const wanted = parseAccept(String(acceptEncoding ?? 'identity')).map(({ type }) => type)
  return encodings.find((encoding) => wanted.includes(encoding))
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
