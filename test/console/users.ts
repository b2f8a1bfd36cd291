import { RoleBinding } from '../../packages/api/src/core/rbac.ts'
import { ServiceAccount } from '../../packages/api/src/core/service-account.ts'
import { objectOf } from '../../packages/api/src/schema/resource.ts'
import type { Console } from './console.ts'

/** A ServiceAccount with a role in one namespace, and a token of it. */
export async function userOf({ client, server }: Console, namespace: string, role: string): Promise<string> {
  const name = `${role}-of-${namespace}`
  await client.create(ServiceAccount, objectOf(ServiceAccount, { name, namespace }, {}))
  await client.create(
    RoleBinding,
    objectOf(
      RoleBinding,
      { name, namespace },
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
        subjects: [{ kind: 'ServiceAccount', name, namespace }],
      },
    ),
  )
  return (await server.kubectl(['create', 'token', name, '-n', namespace])).trim()
}
