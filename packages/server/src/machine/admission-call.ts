import type { KubeObject } from '@stillpoint/api/meta/object-meta'

// The API server's admission call, as far as the rules here use it: it is handed over by structure.

export interface UserInfo {
  username: string
  groups: readonly string[]
}

export interface AdmissionCall {
  operation: 'CREATE' | 'UPDATE' | 'DELETE'
  object: KubeObject
  oldObject?: KubeObject
  subresource?: 'status'
  user: UserInfo
}

export interface Admission {
  group: string
  resource: string
  operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[]
  admit(call: AdmissionCall): KubeObject | undefined
}
