import { ControllerRevision } from '@stillpoint/api/core/controller-revision'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { needsBackendStorage, type StatePreference } from '@stillpoint/api/snapshot/rules'
import type { KubeClient } from '../kube/client.ts'

export const matcherKinds = ['instancetype', 'preference'] as const
export type MatcherKind = (typeof matcherKinds)[number]

/** Names of the ControllerRevisions a VM is built from: as its spec says, else as its status does. */
export function revisionNameOf(vm: Pick<VirtualMachine, 'spec' | 'status'>, kind: MatcherKind): string | undefined {
  if (vm.spec[kind] === undefined) return undefined
  const { controllerRevisionRef } = (vm.status?.[`${kind}Ref`] ?? {}) as { controllerRevisionRef?: { name?: string } }
  return vm.spec[kind]?.revisionName || controllerRevisionRef?.name || undefined
}

/** Blocks changed since the last backup are noted in the claim of the VM's state. */
function tracksChangedBlocks({ status }: VirtualMachine): boolean {
  const { state } = (status?.changedBlockTracking ?? {}) as { state?: string }
  return state === 'Enabled'
}

/**
 * Whether the VM keeps state in a claim of its own: persistent TPM or EFI, its preference included, or the tracking of
 * changed blocks. Reads the revision only if there is one.
 */
export async function keepsState(
  client: KubeClient,
  vm: VirtualMachine,
): Promise<{ own: boolean; preferred: boolean }> {
  const asks = needsBackendStorage(vm.spec)
  const own = asks || tracksChangedBlocks(vm)
  const name = asks ? undefined : revisionNameOf(vm, 'preference')
  if (name === undefined) return { own, preferred: false }
  const revision = await client.find(ControllerRevision, { namespace: vm.metadata.namespace, name })
  // The revision holds the whole preference object.
  const { spec } = (revision?.data ?? {}) as { spec?: StatePreference }
  return { own, preferred: spec !== undefined && needsBackendStorage(vm.spec, spec) }
}
