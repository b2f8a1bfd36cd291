import { Alert, Checkbox, ExpandableSection, List, ListItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { type ReactNode, useState } from 'react'
import { list } from '../../kube/client.ts'
import { useRead } from '../../kube/use-read.ts'
import { type Disk, diskKindLabel, disksOf } from '../../model/disks.ts'
import { bytes } from '../../model/format.ts'

const learnMoreUrl = 'https://kubevirt.io/user-guide/storage/snapshot_restore_api/'

export const acknowledgeIt = 'Tick the box about the disks that are left out.'

interface Props {
  vm: VirtualMachine
  /** Whether a person has said that leaving disks out is meant. */
  acknowledged: boolean
  onAcknowledge: (acknowledged: boolean) => void
}

/** Which disks a snapshot taken now has, which are made anew, and which are missing in it. */
export function DisksSection({ vm, acknowledged, onAcknowledge }: Props) {
  const { included, recreated, missing, needsAcknowledgement } = disksOf(vm)
  const sizeOf = useClaimSizes(vm.metadata.namespace)
  const sizes = included.map(sizeOf)
  const total = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
  return (
    <>
      {included.length === 0 ? (
        <Alert isInline isPlain variant="warning" title="No disks included in this snapshot" component="h2" />
      ) : (
        <Foldable title={`Disks included in this snapshot (${included.length})`}>
          <DiskList disks={included} sizeOf={sizeOf} />
          {total === 0 ? null : (
            <p className="console-subtle">
              At most {bytes(total)} of data; how much room the snapshot needs depends on the storage.
            </p>
          )}
        </Foldable>
      )}
      {recreated.length === 0 ? null : (
        <Foldable title={`Recreated automatically (${recreated.length})`}>
          <DiskList disks={recreated} />
          <p className="console-subtle">These are made anew from the definition, which is part of the snapshot.</p>
        </Foldable>
      )}
      {missing.length === 0 ? null : <MissingDisks disks={missing} />}
      {needsAcknowledgement ? <Acknowledgement checked={acknowledged} onChange={onAcknowledge} /> : null}
    </>
  )
}

/** The warning about disks with data that the snapshot leaves out. */
function MissingDisks({ disks }: { disks: readonly Disk[] }) {
  const title = 'The following disk(s) will not be included in the snapshot'
  return (
    <Alert isInline variant="warning" title={title} component="h2" data-test="missing-disks">
      <MissingList disks={disks} />
      <MissingHint />
    </Alert>
  )
}

/** Disks that are left out, and why. */
export function MissingList({ disks }: { disks: readonly Disk[] }) {
  return (
    <List isPlain>
      {disks.map(({ name, reason }) => (
        <ListItem key={name}>
          <strong>{name}</strong> – {reason}
        </ListItem>
      ))}
    </List>
  )
}

/** What can be done about disks that are left out. */
export function MissingHint() {
  return (
    <>
      <p>Edit the disk, or ask an administrator to configure volume snapshots for its storage.</p>
      <p>
        <a href={learnMoreUrl} target="_blank" rel="noreferrer">
          Learn more about snapshots
        </a>
      </p>
    </>
  )
}

export function Acknowledgement({ checked, onChange }: { checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <Checkbox
      id="acknowledge"
      label="I am aware of this warning and wish to proceed"
      isChecked={checked}
      onChange={(_, next) => onChange(next)}
    />
  )
}

export function DiskList({
  disks,
  sizeOf = () => undefined,
}: {
  disks: readonly Disk[]
  sizeOf?: (disk: Disk) => number | undefined
}) {
  return (
    <List isPlain>
      {disks.map((disk) => {
        const size = sizeOf(disk)
        return (
          <ListItem key={disk.name}>
            <strong>{disk.name}</strong>{' '}
            <span className="console-subtle">
              {diskKindLabel(disk.kind)}
              {size === undefined ? '' : `, ${bytes(size)}`}
            </span>
          </ListItem>
        )
      })}
    </List>
  )
}

/** A heading that opens what is below it. */
export function Foldable({ title, children, open = false }: { title: string; children: ReactNode; open?: boolean }) {
  const [isOpen, setOpen] = useState(open)
  return (
    <ExpandableSection toggleText={title} isExpanded={isOpen} isIndented onToggle={(_, next) => setOpen(next)}>
      {children}
    </ExpandableSection>
  )
}

/** Sizes of the claims behind disks, as far as the user may see them. */
export function useClaimSizes(namespace: string | undefined): (disk: Disk) => number | undefined {
  const claims = useRead(namespace ?? '', (signal) => list(PersistentVolumeClaim, namespace, {}, signal))
  const byName = new Map((claims.value?.items ?? []).map((claim) => [claim.metadata.name, claim]))
  return ({ claim }) => {
    const { status, spec } = (claim === undefined ? undefined : byName.get(claim)) ?? {}
    const size = status?.capacity?.storage ?? spec?.resources?.requests?.storage
    return size === undefined ? undefined : parseQuantity(String(size))
  }
}
