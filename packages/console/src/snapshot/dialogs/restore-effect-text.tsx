import { Alert, List, ListItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { restoreEffect } from '../../model/restore-effect.ts'
import { restoreText } from '../../model/restore-plan.ts'
import { type SpecChange, specChanges } from '../../model/spec-changes.ts'
import { Timestamp } from '../../ui/timestamp.tsx'
import { Foldable } from './disks-section.tsx'

interface Props {
  vm: VirtualMachine | undefined
  snapshot: VirtualMachineSnapshot
  content: VirtualMachineSnapshotContent | undefined
  now: Date
}

/** What a restore into the VM itself replaces, brings back, leaves and takes away. */
export function RestoreEffectText({ vm, snapshot, content, now }: Props) {
  const { replaced } = restoreText(vm, snapshot, now)
  const effect = content && restoreEffect(vm?.spec, content)
  const lost = effect?.removed.filter(({ deleted }) => deleted) ?? []
  const detached = effect?.removed.filter(({ deleted }) => !deleted) ?? []
  const otherVm =
    vm !== undefined && snapshot.status?.sourceUID !== undefined && vm.metadata.uid !== snapshot.status.sourceUID
  return (
    <Alert isInline variant="warning" title={replaced} component="h2" data-test="restore-effect">
      <List isPlain>
        {lost.length === 0 ? null : (
          <ListItem>
            Added since, and <strong>deleted with their data</strong>: {lost.map(({ name }) => name).join(', ')}
          </ListItem>
        )}
        {detached.length === 0 ? null : (
          <ListItem>
            Added since, and no disks of it any more; their claims stay: {detached.map(({ name }) => name).join(', ')}
          </ListItem>
        )}
        {effect && vm && effect.returning.length > 0 ? (
          <ListItem>Come back: {effect.returning.join(', ')}</ListItem>
        ) : null}
        {effect && effect.untouched.length > 0 ? (
          <ListItem>Stay as they are, because the snapshot has no data of them: {effect.untouched.join(', ')}</ListItem>
        ) : null}
        {otherVm ? (
          <ListItem>
            {vm.metadata.name} is not the VirtualMachine the snapshot was taken of, but one of the same name.
          </ListItem>
        ) : null}
      </List>
    </Alert>
  )
}

/** What of the definition goes back. */
export function ConfigurationChanges({ vm, content }: { vm: VirtualMachine; content: VirtualMachineSnapshotContent }) {
  const then = content.spec.source.virtualMachine?.spec
  if (then === undefined) return null
  const changes = specChanges(vm.spec, then)
  if (changes.length === 0) return <p data-test="configuration-changes">The configuration is the same as now.</p>
  return (
    <div data-test="configuration-changes">
      <p>Configuration that goes back: {changes.map(({ part }) => part).join(', ')}.</p>
      <Foldable title={`Configuration changes (${changes.length})`}>
        <List isPlain>
          {changes.map((change) => (
            <ListItem key={change.part}>
              <strong>{change.part}</strong> {changeText(change)}
            </ListItem>
          ))}
        </List>
      </Foldable>
    </div>
  )
}

function changeText({ from, to }: SpecChange): string {
  if (from === to) return 'differs'
  return `${from ?? 'present'} → ${to ?? 'as in the snapshot'}`
}

/** Which point it is. */
export function PointText({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const { metadata, status } = snapshot
  return (
    <>
      <strong>{metadata.name}</strong>{' '}
      <span className="console-nowrap">
        (<Timestamp at={status?.creationTime ?? metadata.creationTimestamp} />)
      </span>
    </>
  )
}
