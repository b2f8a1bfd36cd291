import { randomBytes } from 'node:crypto'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { failure } from '@stillpoint/api/meta/status-error'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import * as z from 'zod'
import { rfc3339 } from '../../controller/conditions.ts'
import type { Area } from '../area.ts'
import { fillOf } from '../fills/fill-request.ts'
import { answerJson, type RawRoute } from './route.ts'
import type { UploadTokens } from './token.ts'

export const tokenRequestPrefix = '/apis/upload.cdi.kubevirt.io'
const version = 'v1beta1'
const bodyLimit = 64 * 1024

const request = z.looseObject({
  metadata: z.looseObject({ name: z.string().optional(), generateName: z.string().optional() }).optional(),
  spec: z.looseObject({ pvcName: z.string().min(1) }),
})

/** `UploadTokenRequest`: nothing is stored; the answer to a POST bears the token. */
export function tokenRequestRoute({ client, now }: Area, tokens: () => Promise<UploadTokens>): RawRoute {
  return {
    handle: async ({ request: incoming, response, path }) => {
      if (incoming.method === 'GET') {
        if (path === `${tokenRequestPrefix}/${version}`) return answerJson(response, 200, discovery)
        if (path === tokenRequestPrefix) return answerJson(response, 200, groupDiscovery)
        throw failure(404, 'NotFound', 'the server could not find the requested resource')
      }
      const [, namespace] =
        /^\/apis\/upload\.cdi\.kubevirt\.io\/v1(?:beta1|alpha1)\/namespaces\/([^/]+)\/uploadtokenrequests$/.exec(
          path,
        ) ?? []
      if (namespace === undefined) throw failure(404, 'NotFound', 'the server could not find the requested resource')
      if (incoming.method !== 'POST')
        throw failure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource')
      const { metadata, spec } = parseBody(await readText(incoming))
      const claim = await client.find(PersistentVolumeClaim, {
        namespace: decodeURIComponent(namespace),
        name: spec.pvcName,
      })
      if (!claim) throw failure(404, 'NotFound', `persistentvolumeclaims "${spec.pvcName}" not found`)
      if (fillOf(claim)?.kind !== 'upload')
        throw failure(400, 'BadRequest', `PersistentVolumeClaim ${spec.pvcName} does not wait for an upload`)
      const at = now()
      const grant = { namespace: claim.metadata.namespace ?? '', name: spec.pvcName, uid: uidOf(claim) }
      answerJson(response, 201, {
        apiVersion: `upload.cdi.kubevirt.io/${version}`,
        kind: 'UploadTokenRequest',
        metadata: {
          name: metadata?.name ?? `${metadata?.generateName ?? 'token-'}${randomBytes(3).toString('hex').slice(0, 5)}`,
          namespace: grant.namespace,
          creationTimestamp: rfc3339(at),
        },
        spec: { pvcName: spec.pvcName },
        status: { token: (await tokens()).issue(grant, at) },
      })
    },
  }
}

const resource = {
  name: 'uploadtokenrequests',
  singularName: 'uploadtokenrequest',
  namespaced: true,
  kind: 'UploadTokenRequest',
  verbs: ['create'],
}
const discovery = {
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion: `upload.cdi.kubevirt.io/${version}`,
  resources: [resource],
}
const served = { groupVersion: `upload.cdi.kubevirt.io/${version}`, version }
const groupDiscovery = {
  kind: 'APIGroup',
  apiVersion: 'v1',
  name: 'upload.cdi.kubevirt.io',
  versions: [served],
  preferredVersion: served,
}

function parseBody(text: string): z.output<typeof request> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw failure(400, 'BadRequest', `the body is not JSON: ${(cause as Error).message}`)
  }
  const parsed = request.safeParse(body)
  if (!parsed.success) throw failure(422, 'Invalid', 'spec.pvcName: Required value')
  return parsed.data
}

async function readText(incoming: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > bodyLimit) throw failure(413, 'RequestEntityTooLarge', `the body is larger than ${bodyLimit} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString()
}
