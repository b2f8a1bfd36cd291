import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { isTrue } from '@stillpoint/api/meta/condition'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { StatusError } from '@stillpoint/api/meta/status-error'
import type { FreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { type Consistency, frozenByAnotherCause } from '@stillpoint/api/snapshot/keys'
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

/** One holder's say over whether a guest is frozen. What another holds frozen is left alone. */
export interface GuestHold {
  /** Returns when the guest's file systems are frozen; its own timer thaws them if nobody else does. */
  freeze(): Promise<void>
  /** Returns when the guest has confirmed that nothing is frozen for this holder. May be called at any time. */
  thaw(): Promise<void>
}

/** KubeVirt ignores the holder; there whoever comes last decides. */
export function holdOf(client: KubeClient, guest: GuestRef, holder: string): GuestHold {
  // Then nothing is ours to thaw, and a thaw would end the window of the one who refused us.
  let refused = false
  return {
    async freeze() {
      const body = { unfreezeTimeout: `${leaseMs / 1_000}s`, holder }
      refused = false
      try {
        await client.call(subresource(guest, 'freeze'), { method: 'PUT', body, timeoutMs: freezeTimeoutMs })
      } catch (error) {
        refused = isFrozenByAnother(error)
        throw error
      }
    },
    async thaw() {
      if (refused) return
      try {
        await client.call(subresource(guest, 'unfreeze'), { method: 'PUT', body: { holder }, timeoutMs: thawTimeoutMs })
      } catch (error) {
        if (!isFrozenByAnother(error)) throw error
      }
    },
  }
}

/** The freeze was refused because another holder has the guest frozen. */
export function isFrozenByAnother(error: unknown): boolean {
  const causes = error instanceof StatusError ? (error.status.details?.causes ?? []) : []
  return causes.some(({ reason }) => reason === frozenByAnotherCause)
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
