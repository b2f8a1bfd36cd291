import { Title } from '@patternfly/react-core'
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { bytes, exactDuration, exactUtcTime } from '../../model/format.ts'
import { receiptIn } from '../../model/freeze-facts.ts'
import { type SnapshotDisk, snapshotDisks } from '../../model/snapshot-disks.ts'
import { Empty } from '../../ui/states.tsx'
import { ToneIcon } from '../../ui/tone.tsx'
import { useOwnContent } from '../use-content.ts'

/** The disks that are in a snapshot, and those that are not. */
export function DisksTab({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const content = useOwnContent(snapshot)
  const disks = snapshotDisks(snapshot, content)
  const excluded = snapshot.status?.snapshotVolumes?.excludedVolumes ?? []
  const skewMs = receiptIn(snapshot)?.skewMs
  return (
    <div className="console-sections">
      <Title headingLevel="h2">Disks</Title>
      {disks.length === 0 ? (
        <Empty title="No disks" level="h3">
          There is no disk in this snapshot, or not yet.
        </Empty>
      ) : (
        <DiskTable disks={disks} />
      )}
      {skewMs === undefined ? null : <p>{exactDuration(skewMs)} between the first and the last cut.</p>}
      {excluded.length === 0 ? null : (
        <>
          <Title headingLevel="h3">Not in the snapshot</Title>
          <p>
            {excluded.join(', ')}. What a start makes from the definition, such as cloud-init, is made again after a
            restore.
          </p>
        </>
      )}
    </div>
  )
}

function DiskTable({ disks }: { disks: readonly SnapshotDisk[] }) {
  return (
    <Table aria-label="Disks" variant="compact">
      <Thead>
        <Tr>
          <Th modifier="nowrap">Name</Th>
          <Th modifier="nowrap">Size</Th>
          <Th modifier="nowrap">Cut</Th>
          <Th modifier="nowrap">Ready to use</Th>
          <Th modifier="wrap">Claim at that time</Th>
          <Th modifier="wrap">VolumeSnapshot</Th>
        </Tr>
      </Thead>
      <Tbody>
        {disks.map((disk) => (
          <Tr key={disk.name}>
            <Td dataLabel="Name">{disk.name}</Td>
            <Td dataLabel="Size" modifier="nowrap">
              {disk.sizeBytes === undefined ? '-' : bytes(disk.sizeBytes)}
            </Td>
            <Td dataLabel="Cut">
              <div>
                {exactUtcTime(disk.cutMs)}
                {disk.precisionMs === undefined ? null : (
                  <div className="console-subtle">to {exactDuration(disk.precisionMs)}</div>
                )}
              </div>
            </Td>
            <Td dataLabel="Ready to use">
              <Readiness disk={disk} />
            </Td>
            <Td dataLabel="Claim at that time">
              <div>
                {disk.claimName ?? '-'}
                {disk.storageClass === undefined ? null : <div className="console-subtle">{disk.storageClass}</div>}
              </div>
            </Td>
            <Td dataLabel="VolumeSnapshot" modifier="breakWord">
              {disk.volumeSnapshotName ?? '-'}
            </Td>
          </Tr>
        ))}
      </Tbody>
    </Table>
  )
}

function Readiness({ disk: { readyToUse, error } }: { disk: SnapshotDisk }) {
  if (error !== undefined)
    return (
      <span>
        <ToneIcon tone="danger" /> {error}
      </span>
    )
  if (readyToUse === undefined) return <>-</>
  return readyToUse ? (
    <span>
      <ToneIcon tone="success" /> Yes
    </span>
  ) : (
    <span>
      <ToneIcon tone="neutral" /> Not yet
    </span>
  )
}
