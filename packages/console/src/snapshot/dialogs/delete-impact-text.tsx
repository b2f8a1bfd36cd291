import { Alert, List, ListItem } from '@patternfly/react-core'
import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useObjects } from '../../kube/use-objects.ts'
import { type DeleteImpact, deleteImpact } from '../../model/gates.ts'

interface Impact {
  snapshot: VirtualMachineSnapshot
  impact: DeleteImpact
}

/** What the deletion of each takes away, as things are now. */
export function useDeleteImpacts(snapshots: readonly VirtualMachineSnapshot[]): Impact[] {
  const namespaces = new Set(snapshots.map(({ metadata }) => metadata.namespace))
  const namespace = namespaces.size === 1 ? [...namespaces][0] : undefined
  const restores = useObjects(VirtualMachineRestore, namespace).items
  const clones = useObjects(VirtualMachineClone, namespace).items
  const all = useObjects(VirtualMachineSnapshot, namespace).items
  const doomed = new Set(snapshots.map(({ metadata }) => metadata.uid))
  // What goes together cannot stand in for each other.
  const others = all.filter(({ metadata }) => !doomed.has(metadata.uid))
  return snapshots.map((snapshot) => ({
    snapshot,
    impact: deleteImpact(snapshot, { restores, clones, snapshots: others }),
  }))
}

/** Which snapshots are deleted, what is lost with them, and which are in use. */
export function DeleteImpactText({
  impacts,
  namespaces,
}: {
  impacts: readonly Impact[]
  namespaces: readonly string[]
}) {
  const blocked = impacts.filter(({ impact }) => impact.blocked !== undefined)
  const free = impacts.filter(({ impact }) => impact.blocked === undefined)
  const [only] = impacts
  const single = impacts.length === 1
  return (
    <>
      {single && only !== undefined ? (
        <p>
          Are you sure you want to delete <strong>{only.snapshot.metadata.name}</strong> in namespace{' '}
          <strong>{only.snapshot.metadata.namespace}</strong>?
        </p>
      ) : (
        <p>Are you sure you want to delete these snapshots in {namespacesText(namespaces)}?</p>
      )}
      {blocked.length === 0 ? null : (
        <Alert isInline variant="danger" title={single ? 'It is in use' : 'In use, and not deleted'} component="h2">
          {blocked.map(({ snapshot, impact }) => (
            <p key={snapshot.metadata.uid}>
              {single ? null : <strong>{snapshot.metadata.name}: </strong>}
              {impact.blocked}
            </p>
          ))}
        </Alert>
      )}
      {free.length === 0 ? null : (
        <Alert isInline variant="warning" title="This cannot be undone. What is lost:" component="h2" data-test="lost">
          {single ? (
            <Lost lines={free[0]?.impact.lost ?? []} />
          ) : (
            free.map((each) => <LostOf key={keyOf(each)} {...each} />)
          )}
        </Alert>
      )}
    </>
  )
}

function LostOf({ snapshot, impact }: Impact) {
  return (
    <>
      <strong>{snapshot.metadata.name}</strong>
      <Lost lines={impact.lost} />
    </>
  )
}

function Lost({ lines }: { lines: readonly string[] }) {
  if (lines.length === 0) return <p>Nothing that could be restored: there is no data in it.</p>
  return (
    <List isPlain>
      {lines.map((line) => (
        <ListItem key={line}>{line}</ListItem>
      ))}
    </List>
  )
}

function namespacesText(namespaces: readonly string[]): string {
  return `${namespaces.length === 1 ? 'namespace' : 'namespaces'} ${namespaces.join(', ')}`
}

function keyOf({ snapshot: { metadata } }: Impact): string {
  return metadata.uid ?? `${metadata.namespace}/${metadata.name}`
}
