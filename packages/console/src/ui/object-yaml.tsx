import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useNavigate } from 'react-router'
import { useAllowed } from '../kube/rights.ts'
import { objectPath } from '../shell/paths.ts'
import { YamlEditor } from './yaml-editor.tsx'

/** The tab with the YAML of an object: to edit for who may. */
export function ObjectYaml({ definition, object }: { definition: ResourceDefinition; object: KubeObject }) {
  const navigate = useNavigate()
  const { group, plural: resource } = definition
  const { allowed, reason } = useAllowed({ verb: 'update', group, resource, namespace: object.metadata.namespace })
  return (
    <YamlEditor
      definition={definition}
      object={object}
      readOnlyReason={allowed === false ? reason : undefined}
      onCancel={() => void navigate(objectPath(definition, object.metadata))}
    />
  )
}
