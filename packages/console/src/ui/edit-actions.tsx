import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { type ReactNode, useState } from 'react'
import { useNavigate } from 'react-router'
import { useAllowed } from '../kube/rights.ts'
import { objectPath } from '../shell/paths.ts'
import { EditAnnotationsDialog } from './edit-annotations.tsx'
import { EditLabelsDialog } from './edit-labels.tsx'
import type { MenuAction } from './row-menu.tsx'

export interface EditActions {
  actionsFor: (object: KubeObject) => MenuAction[]
  editAnnotations: (object: KubeObject) => void
  /** To be put on the page once. */
  dialog: ReactNode
}

/** What any object's page offers: its labels, its annotations and its YAML. */
export function useEditActions(definition: ResourceDefinition, namespace: string): EditActions {
  const navigate = useNavigate()
  const [opened, setOpened] = useState<{ what: 'labels' | 'annotations'; object: KubeObject }>()
  const { group, plural: resource, kind } = definition
  const { reason } = useAllowed({ verb: 'patch', group, resource, namespace })
  const close = (): void => setOpened(undefined)
  const dialogProps = opened && { definition, object: opened.object, onClose: close }
  return {
    actionsFor: (object) => [
      {
        id: 'edit-labels',
        label: 'Edit labels',
        dataTestAction: 'Edit labels',
        disabledReason: reason,
        onSelect: () => setOpened({ what: 'labels', object }),
      },
      {
        id: 'edit-annotations',
        label: 'Edit annotations',
        dataTestAction: 'Edit annotations',
        disabledReason: reason,
        onSelect: () => setOpened({ what: 'annotations', object }),
      },
      {
        id: 'edit',
        label: `Edit ${kind}`,
        dataTestAction: `Edit ${kind}`,
        onSelect: () => void navigate(objectPath(definition, object.metadata, 'yaml')),
      },
    ],
    editAnnotations: (object) => setOpened({ what: 'annotations', object }),
    dialog:
      dialogProps === undefined ? null : opened?.what === 'labels' ? (
        <EditLabelsDialog {...dialogProps} />
      ) : (
        <EditAnnotationsDialog {...dialogProps} />
      ),
  }
}
