import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceAttributes } from '../auth/attributes.ts'

/** Who calls, as authentication found out. */
export interface UserInfo {
  username: string
  uid?: string
  groups: readonly string[]
  /** What else authentication found out: the id of a token, for example. */
  extra?: Readonly<Record<string, readonly string[]>>
}

/** Reads of other stored objects, from the cache. What it gives is frozen. */
export interface Reader {
  get(group: string, plural: string, namespace: string | undefined, name: string): KubeObject | undefined
  list(group: string, plural: string, namespace?: string): readonly KubeObject[]
}

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

export interface AdmissionCall {
  operation: Operation
  object: KubeObject
  oldObject?: KubeObject
  subresource?: 'status'
  user: UserInfo
  dryRun: boolean
  read: Reader
  /** Whether the caller may do something else, too. */
  may(asked: ResourceAttributes): boolean
}

/** A rule about writes of a kind. It sees objects after defaulting and before validation. */
export interface Admission {
  group: string
  /** The plural, or `*` for every resource of every group. */
  resource: string
  operations: readonly Operation[]
  /** The webhook a cluster has for this rule; refusals are worded as by that webhook. */
  webhook?: string
  /** May change the object by returning a new one; throws StatusError to refuse. */
  admit(call: AdmissionCall): KubeObject | undefined
}
