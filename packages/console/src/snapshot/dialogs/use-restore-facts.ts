import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { isForbidden } from '@stillpoint/api/meta/status-error'
import {
  VirtualMachineRestore,
  type VirtualMachineSnapshot,
  VirtualMachineSnapshotContent,
} from '@stillpoint/api/snapshot/kinds'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { list } from '../../kube/client.ts'
import { useAllowed } from '../../kube/rights.ts'
import { type ObjectState, useObject, useObjects } from '../../kube/use-objects.ts'
import { type Read, useRead } from '../../kube/use-read.ts'
import type { Known } from '../../model/restore-checks.ts'
import { useLiveSnapshot } from './use-live.ts'

/** What a dialog must know of a snapshot and its VM to restore it; all of it as it is now. */
export function useRestoreFacts(given: VirtualMachineSnapshot) {
  const { namespace } = given.metadata
  const snapshot = useLiveSnapshot(given)
  const source = useObject(VirtualMachine, namespace, given.spec.source.name)
  const restores = useObjects(VirtualMachineRestore, namespace).items
  const content = useContent(snapshot ?? given)
  const claims = useRead(namespace ?? '', async (signal) => {
    const { items } = await list(PersistentVolumeClaim, namespace, {}, signal)
    return new Set(items.map(({ metadata }) => metadata.name)) as ReadonlySet<string>
  })
  return {
    snapshot,
    vm: source.object,
    vmUnknown: whyVmUnknown(source),
    restores,
    content,
    claims: knownOf(claims, 'You may not see the claims of this namespace; the server checks their names.'),
  }
}

/** Why it is not known whether there is a VM; undefined when it is. */
function whyVmUnknown({ status, error }: ObjectState<VirtualMachine>): string | undefined {
  if (status === 'loading') return 'The VirtualMachine is being looked for.'
  return status === 'forbidden' || status === 'failed'
    ? (error?.message ?? 'The VirtualMachine cannot be read.')
    : undefined
}

/** The content of a snapshot, as far as it may be seen. */
export function useContent({
  metadata,
  status,
}: VirtualMachineSnapshot): Known<VirtualMachineSnapshotContent | undefined> {
  const name = status?.virtualMachineSnapshotContentName
  const state = useObject(name ? VirtualMachineSnapshotContent : undefined, metadata.namespace, name ?? '')
  return contentOf(state)
}

function contentOf({
  status,
  object,
  error,
}: ObjectState<VirtualMachineSnapshotContent>): Known<VirtualMachineSnapshotContent | undefined> {
  switch (status) {
    case 'loading':
      return { is: 'asking' }
    case 'ready':
    case 'gone':
      return { is: 'known', value: object }
    case 'forbidden':
      return { is: 'unknown', why: 'You may not see the content of the snapshot; the server checks it.' }
    case 'failed':
      return { is: 'unknown', why: error?.message ?? 'It cannot be read.' }
    default:
      return status satisfies never
  }
}

function knownOf<T>({ value, error }: Read<T>, whyForbidden: string): Known<T> {
  if (value !== undefined) return { is: 'known', value }
  if (error === undefined) return { is: 'asking' }
  if (isForbidden(error)) return { is: 'unknown', why: whyForbidden }
  return { is: 'unknown', why: error instanceof Error ? error.message : String(error) }
}

/** The rights that are missing to restore, and to keep the present state before; `asking` while that is not known. */
export function useRestoreRights(namespace: string | undefined, keepsCurrent: boolean): 'asking' | string[] {
  const group = 'snapshot.kubevirt.io'
  const restore = useAllowed({ verb: 'create', group, resource: 'virtualmachinerestores', namespace })
  const snapshot = useAllowed({ verb: 'create', group, resource: 'virtualmachinesnapshots', namespace })
  const asked = keepsCurrent ? [restore, snapshot] : [restore]
  if (asked.some(({ allowed }) => allowed === undefined)) return 'asking'
  return asked.flatMap(({ reason }) => (reason === undefined ? [] : [reason]))
}
