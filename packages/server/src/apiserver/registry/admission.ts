import type { KubeObject } from '@stillpoint/api/meta/object-meta'

/** Who calls, as authentication found out. */
export interface UserInfo {
  username: string
  uid?: string
  groups: readonly string[]
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
