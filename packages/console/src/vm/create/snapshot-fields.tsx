import { Namespace } from '@stillpoint/api/core/namespace'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { useState } from 'react'
import { useObjects } from '../../kube/use-objects.ts'
import { sizeText } from '../../model/claims.ts'
import { relativeTime } from '../../model/format.ts'
import { type NewVm, sizeOf } from '../../model/new-vm.ts'
import { newestFirst } from '../../model/newest.ts'
import { useNow } from '../../ui/use-now.ts'
import { ChoiceField } from './choice-field.tsx'

interface Props {
  form: NewVm
  change: (part: Partial<NewVm>) => void
  namespace: string
  problem: string | undefined
}

/** A VolumeSnapshot: first where, then which. The size of the disk follows it. */
export function SnapshotFields({ form, change, namespace, problem }: Props) {
  const [project, setProject] = useState(form.snapshot?.namespace ?? namespace)
  const namespaces = useObjects(Namespace).items.map(({ metadata }) => metadata.name)
  const { items, status, error } = useObjects(VolumeSnapshot, project)
  const now = useNow()
  const choose = (name: string): void => {
    const snapshot = items.find(({ metadata }) => metadata.name === name)
    const restoreSize = snapshot?.status?.restoreSize
    const restoreBytes = restoreSize === undefined ? undefined : parseQuantity(String(restoreSize))
    change({
      snapshot: { namespace: project, name, restoreBytes },
      ...(restoreBytes === undefined ? {} : { size: sizeOf(restoreBytes) }),
    })
  }
  return (
    <>
      <ChoiceField
        id="snapshot-project"
        label="Project of the snapshot"
        value={project}
        onChange={(chosen) => {
          setProject(chosen)
          change({ snapshot: undefined })
        }}
        placeholder="Choose a project"
        // Who may not list them all may still use their own.
        options={[...new Set([namespace, project, ...namespaces])].map((name) => ({ value: name, label: name }))}
      />
      <ChoiceField
        id="snapshot"
        label="Snapshot"
        value={form.snapshot?.name ?? ''}
        onChange={choose}
        problem={status === 'forbidden' ? error?.message : problem}
        placeholder={items.length === 0 ? 'There is none in this project' : 'Choose a snapshot'}
        options={items.toSorted(newestFirst).map(({ metadata, spec, status: state }) => {
          const ready = state?.readyToUse === true
          const facts = [
            metadata.name,
            spec.source.persistentVolumeClaimName && `of ${spec.source.persistentVolumeClaimName}`,
            sizeText(state?.restoreSize),
            ready ? relativeTime(state.creationTime ?? metadata.creationTimestamp, now) : 'not ready to use',
          ]
          return { value: metadata.name, label: facts.filter(Boolean).join(', '), disabled: !ready }
        })}
      />
    </>
  )
}
