import { isNotFound } from '@stillpoint/api/meta/status-error'
import { looseObject } from '@stillpoint/api/schema/fields'
import { resource } from '@stillpoint/api/schema/resource'
import * as z from 'zod'
import type { KubeClient } from '../kube/client.ts'

export const Pod = resource({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  origin: 'builtin',
  description: 'Containers that run together.',
  fields: {
    spec: z
      .looseObject({
        volumes: z
          .array(
            z.looseObject({
              name: z.string(),
              persistentVolumeClaim: z.looseObject({ claimName: z.string() }).optional(),
            }),
          )
          .optional(),
      })
      .optional(),
    status: looseObject.extend({ phase: z.string().optional() }).optional(),
  },
})

/** Counts pods that hold claims. Where the API serves no pods, nothing but VMs can. */
export class PodUsage {
  readonly #client: KubeClient
  #served = true

  constructor(client: KubeClient) {
    this.#client = client
  }

  /** Unfinished pods of the namespace that use one of the claims. */
  async count(namespace: string, claims: ReadonlySet<string>): Promise<number> {
    if (!this.#served || claims.size === 0) return 0
    try {
      const { items } = await this.#client.list(Pod, { namespace })
      return items.filter(
        (pod) =>
          pod.status?.phase !== 'Succeeded' &&
          pod.spec?.volumes?.some((volume) => claims.has(volume.persistentVolumeClaim?.claimName ?? '')),
      ).length
    } catch (error) {
      if (!isNotFound(error)) throw error
      this.#served = false
      return 0
    }
  }
}
