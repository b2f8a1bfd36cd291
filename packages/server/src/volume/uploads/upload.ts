import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { describeError } from '../../controller/describe-error.ts'
import type { Area } from '../area.ts'
import { RefusedError } from '../fills/fill-error.ts'
import { fillOf } from '../fills/fill-request.ts'
import { type Filler, recordOf } from '../fills/filler.ts'
import { limitBytes } from '../fills/limit-bytes.ts'
import { podReadyAnnotation } from '../keys.ts'
import { answerText, type RawRoute } from './route.ts'
import type { UploadTokens } from './token.ts'

export const uploadPath = '/v1beta1/upload'
export const asyncUploadPath = '/v1beta1/upload-async'
export const archivePaths = ['/v1beta1/upload-archive', '/v1beta1/upload-archive-async']

type Call = Parameters<RawRoute['handle']>[0]

/** Takes an image as the body of a POST and writes it into the claim that the token names. */
export function uploadRoute(area: Area, filler: Filler, tokens: () => Promise<UploadTokens>): RawRoute {
  const { inventory, events, log, now } = area

  const handle = async (call: Call): Promise<void> => {
    const { request, response, path } = call
    // As CDI: any page may upload, since the token and not a cookie says who it is.
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', 'authorization, content-type')
    response.setHeader('access-control-allow-methods', 'POST, HEAD, OPTIONS')
    if (archivePaths.includes(path))
      return answerText(response, 501, 'archives cannot be uploaded here; upload a disk image')
    if (request.method === 'HEAD' || request.method === 'OPTIONS') return answerText(response, 200)
    if (request.method !== 'POST') return answerText(response, 405, 'POST the image')
    const token = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined)
      return answerText(response, 400, 'the header Authorization: Bearer <upload token> is missing')
    const grant = (await tokens()).read(token, now())
    if (!grant) return answerText(response, 401, 'the upload token is not valid, or has expired: ask for a new one')
    await area.ready()
    const claim = inventory.claims.get(`${grant.namespace}/${grant.name}`)
    if (!claim || claim.metadata.uid !== grant.uid) return answerText(response, 404, `PVC ${grant.name} is gone`)
    const request_ = fillOf(claim)
    if (request_?.kind !== 'upload') return answerText(response, 400, `PVC ${grant.name} does not wait for an upload`)
    if (request_.phase === 'Succeeded') return answerText(response, 409, `PVC ${grant.name} has its image already`)
    if (claim.metadata.annotations?.[podReadyAnnotation] !== 'true' || claim.metadata.deletionTimestamp !== undefined)
      return answerText(response, 503, `PVC ${grant.name} is not ready for an upload yet`)
    if (filler.isBusy(claim)) return answerText(response, 503, `another upload to PVC ${grant.name} is under way`)
    await take(call, claim)
  }

  const take = async ({ request, response, path, signal }: Call, claim: PersistentVolumeClaim): Promise<void> => {
    const { name } = claim.metadata
    const received = Promise.withResolvers<void>()
    const work = filler.exclusively(claim, async (folder, abandoned) => {
      const image = join(folder, 'image')
      const record = recordOf(claim)
      const limit = limitBytes(
        Math.ceil(record.capacityBytes * 1.1) + 64 * 2 ** 20,
        `the image is larger than PVC ${name} can take`,
      )
      await pipeline(request, limit, createWriteStream(image, { mode: 0o600 }), {
        signal: AbortSignal.any([signal, abandoned]),
      })
      await filler.check(image, record, folder, abandoned)
      received.resolve()
      await filler.write(claim, image, folder, abandoned)
    })
    try {
      // The asynchronous one answers once the image is here and sound; the claim tells the rest.
      if (path === asyncUploadPath) await Promise.race([received.promise, work])
      else await work
      answerText(response, 200)
      await work
      log.info({ claim: name, namespace: claim.metadata.namespace }, 'upload written')
    } catch (error) {
      const message = describeError(error)
      log.warn({ claim: name, namespace: claim.metadata.namespace, error: message }, 'upload failed')
      events.event(claim, 'Warning', 'UploadFailed', message)
      if (!response.headersSent && !response.writableEnded && !signal.aborted)
        answerText(response, error instanceof RefusedError ? 400 : 500, message)
    }
  }

  return { anonymous: true, handle }
}
