import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import type { Consistency } from '@stillpoint/api/snapshot/keys'
import type { KubeClient } from '../kube/client.ts'
import { decideQuiesce, leaseMs, type ObservedGuest } from './content-plan.ts'

const freezeTimeoutMs = 20_000
const thawTimeoutMs = 10_000

export function guestOf(vmi: VirtualMachineInstance | undefined): ObservedGuest | undefined {
  if (vmi === undefined) return undefined
  const { phase, conditions, fsFreezeStatus } = vmi.status ?? {}
  return {
    uid: uidOf(vmi),
    alive: phase !== 'Succeeded' && phase !== 'Failed',
    paused: isTrue(conditions, 'Paused'),
    agent: isTrue(conditions, 'AgentConnected'),
    reportsFrozen: fsFreezeStatus === 'frozen',
  }
}

interface GuestRef {
  namespace: string
  name: string
}

/** Returns when the guest's file systems are frozen; its own timer thaws them if nobody else does. */
export async function freezeGuest(client: KubeClient, guest: GuestRef): Promise<void> {
  await client.call(subresource(guest, 'freeze'), {
    method: 'PUT',
    body: { unfreezeTimeout: `${leaseMs / 1_000}s` },
    timeoutMs: freezeTimeoutMs,
  })
}

/** Returns when the guest has confirmed that nothing is frozen. May be called at any time. */
export async function thawGuest(client: KubeClient, guest: GuestRef): Promise<void> {
  await client.call(subresource(guest, 'unfreeze'), { method: 'PUT', timeoutMs: thawTimeoutMs })
}

function subresource({ namespace, name }: GuestRef, action: string) {
  return {
    group: 'subresources.kubevirt.io',
    version: 'v1',
    resource: 'virtualmachineinstances',
    subresource: action,
    namespace,
    name,
  }
}

/** What a content says of its guest from the start: a freeze that is going to be asked for is announced. */
export function announce(
  guest: ObservedGuest | undefined,
  consistency: Consistency,
  { volumes, holder, now }: { volumes: number; holder: string; now: Date },
): FreezeReport {
  const decision = decideQuiesce(guest, consistency)
  if ('refuse' in decision || !decision.freeze) return { attempt: 1, guest: decision.guest }
  return volumes === 0 || guest === undefined
    ? { attempt: 1, guest: 'agent' }
    : { attempt: 1, guest: 'agent', ...asking(guest.uid, holder, now) }
}

/** The members of a report by which a thaw is owed. */
export function asking(vmiUid: string, holder: string, now: Date) {
  return { vmiUid, holder, asked: now.toISOString(), firstAsked: now.toISOString() }
}
