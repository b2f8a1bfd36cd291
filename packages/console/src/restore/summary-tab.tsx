import { Title } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { beforeRestoreAnnotation, startTargetAnnotation } from '@stillpoint/api/snapshot/keys'
import { type VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { Link } from 'react-router'
import { useObject, useObjects } from '../kube/use-objects.ts'
import { restorePolicies } from '../model/restore-policies.ts'
import { objectPath } from '../shell/paths.ts'
import { ConditionList } from '../ui/condition-list.tsx'
import { Fact, Facts } from '../ui/facts.tsx'
import { LabelList } from '../ui/label-list.tsx'
import { Timestamp } from '../ui/timestamp.tsx'
import { SnapshotLink } from './snapshot-link.tsx'
import { WhyNotComplete } from './why-not-complete.tsx'

/** What a restore brings back, from what, by which rules, and how far it is. */
export function SummaryTab({ restore }: { restore: VirtualMachineRestore }) {
  const { metadata, spec, status } = restore
  const { namespace } = metadata
  const snapshots = useObjects(VirtualMachineSnapshot, namespace)
  const { patches = [] } = spec
  return (
    <>
      <WhyNotComplete restore={restore} />
      <Title headingLevel="h2" className="console-unseen">
        Summary
      </Title>
      <Facts data-test="restore-summary">
        <Fact title="Target VirtualMachine">
          <Target restore={restore} />
        </Fact>
        <Fact title="Snapshot">
          <SnapshotLink
            restore={restore}
            listed={namespace}
            known={snapshots.status === 'ready' && snapshots.complete}
          />
        </Fact>
        <Fact title="Conditions">
          <ConditionList conditions={status?.conditions} />
        </Fact>
        <Fact title="State before">
          <Before restore={restore} />
        </Fact>
        <Fact title="Created">
          <Timestamp at={metadata.creationTimestamp} />
        </Fact>
        <Fact title="Restored at">
          <Timestamp at={status?.restoreTime} />
        </Fact>
        {restorePolicies(restore).map(({ title, text, value }) => (
          <Fact key={title} title={title}>
            {text}
            {text === value ? null : <div className="console-subtle">{value}</div>}
          </Fact>
        ))}
        <Fact title="Afterwards">
          {metadata.annotations?.[startTargetAnnotation] === 'true'
            ? 'The virtual machine is started'
            : 'The virtual machine is not started'}
        </Fact>
        <Fact title="Changes to the new VirtualMachine">
          {patches.length === 0 ? undefined : (
            <ul className="console-plain-list">
              {patches.map((patch) => (
                <li key={patch} className="console-reason">
                  <code>{patch}</code>
                </li>
              ))}
            </ul>
          )}
        </Fact>
        <Fact title="Labels">
          <LabelList labels={metadata.labels} />
        </Fact>
      </Facts>
    </>
  )
}

/** Made by the restore when there is none. */
function Target({ restore: { metadata, spec } }: { restore: VirtualMachineRestore }) {
  const { namespace } = metadata
  const { name } = spec.target
  const vm = useObject(VirtualMachine, namespace, name)
  if (vm.status === 'gone') return <>{name} (there is none now)</>
  return <Link to={objectPath(VirtualMachine, { ...metadata, name })}>{name}</Link>
}

/** What undoes the restore. */
function Before({ restore: { metadata } }: { restore: VirtualMachineRestore }) {
  const name = metadata.annotations?.[beforeRestoreAnnotation]
  const { status } = useObject(name === undefined ? undefined : VirtualMachineSnapshot, metadata.namespace, name ?? '')
  if (name === undefined) return <>No snapshot of it was taken for this restore</>
  if (status === 'gone') return <>{name} (deleted)</>
  return <Link to={objectPath(VirtualMachineSnapshot, { ...metadata, name })}>{name}</Link>
}
