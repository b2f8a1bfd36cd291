import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Call } from './registry/call.ts'
import type { Registry } from './registry/registry.ts'

const initialNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** The caller in whose name the server itself writes. */
export const serverUser = { username: 'system:apiserver', groups: ['system:masters'] }

/** A call of the server itself on a kind. */
export function internalCall(definition: ResourceDefinition, namespace?: string): Call {
  return {
    definition,
    version: definition.version,
    namespace,
    user: serverUser,
    dryRun: false,
    fieldValidation: 'Ignore',
    warn: () => {},
  }
}

/** Creates the namespaces every cluster has, where they are missing. */
export async function createInitialNamespaces(registry: Registry, namespaces: ResourceDefinition): Promise<void> {
  await Promise.all(
    initialNamespaces.map(async (name) => {
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
      try {
        await registry.create(internalCall(namespaces), { body })
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
      }
    }),
  )
}
