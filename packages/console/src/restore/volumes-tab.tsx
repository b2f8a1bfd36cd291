import { Title } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import {
  type VirtualMachineRestore,
  VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { useObject, useObjects } from '../kube/use-objects.ts'
import { claimSize, claimState } from '../model/claims.ts'
import { isRestoredFrom } from '../model/restore-list.ts'
import { type RestoredVolume, restoredVolumes, whyNoVolumes } from '../model/restored-volumes.ts'
import { Empty } from '../ui/states.tsx'
import { ToneIcon } from '../ui/tone.tsx'

interface Props {
  restore: VirtualMachineRestore
}

/** The disks of a restore: where their data comes from, and the claims they had and have. */
export function VolumesTab({ restore }: Props) {
  const volumes = restoredVolumes(restore, useContentOf(restore))
  return (
    <>
      <Title headingLevel="h2">Volumes</Title>
      {volumes.length === 0 ? (
        <Empty title="No volumes" level="h3">
          {whyNoVolumes(restore)}
        </Empty>
      ) : (
        <VolumeTable volumes={volumes} namespace={restore.metadata.namespace} />
      )}
    </>
  )
}

/** What the snapshot of a restore holds, as long as that is there. */
function useContentOf(restore: VirtualMachineRestore): VirtualMachineSnapshotContent | undefined {
  const { namespace } = restore.metadata
  const { object: snapshot } = useObject(VirtualMachineSnapshot, namespace, restore.spec.virtualMachineSnapshotName)
  const name =
    snapshot && isRestoredFrom(restore, snapshot) ? snapshot.status?.virtualMachineSnapshotContentName : undefined
  return useObject(name === undefined ? undefined : VirtualMachineSnapshotContent, namespace, name ?? '').object
}

interface TableProps {
  volumes: readonly RestoredVolume[]
  namespace: string | undefined
}

function VolumeTable({ volumes, namespace }: TableProps) {
  const claims = useObjects(PersistentVolumeClaim, namespace)
  return (
    <Table aria-label="Volumes" variant="compact">
      <Thead>
        <Tr>
          <Th modifier="nowrap">Name</Th>
          <Th modifier="wrap">Claim in the snapshot</Th>
          <Th modifier="wrap">New claim</Th>
          <Th modifier="nowrap">State</Th>
          <Th modifier="wrap">Volume snapshot</Th>
        </Tr>
      </Thead>
      <Tbody>
        {volumes.map(({ name, from, to, dataVolume, volumeSnapshot }) => {
          const claim = claims.items.find(({ metadata }) => metadata.name === to)
          return (
            <Tr key={name}>
              <Td dataLabel="Name">{name}</Td>
              <Td dataLabel="Claim in the snapshot">{from ?? 'Not known: the snapshot is deleted'}</Td>
              <Td dataLabel="New claim">
                {to}
                {from === to ? <div className="console-subtle">Replaces the one of this name</div> : null}
                {dataVolume === undefined ? null : <div className="console-subtle">Of DataVolume {dataVolume}</div>}
              </Td>
              <Td dataLabel="State">
                {claim === undefined ? claims.status === 'ready' ? 'Not there' : '-' : <State claim={claim} />}
              </Td>
              <Td dataLabel="Volume snapshot" modifier="breakWord">
                {volumeSnapshot}
              </Td>
            </Tr>
          )
        })}
      </Tbody>
    </Table>
  )
}

function State({ claim }: { claim: PersistentVolumeClaim }) {
  const { label, tone, running, detail } = claimState(claim, undefined)
  const size = claimSize(claim)
  return (
    <>
      <ToneIcon tone={tone} running={running} /> {label}
      {size === undefined ? '' : `, ${size}`}
      {detail === undefined ? null : <div className="console-subtle">{detail}</div>}
    </>
  )
}
