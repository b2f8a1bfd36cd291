import type { UserInfo } from '../registry/admission.ts'

/** A request as authorization sees it: about a resource. Absent parts are undefined, never empty. */
export interface ResourceAttributes {
  verb: string
  group: string
  resource: string
  subresource?: string | undefined
  /** Undefined: everywhere, or a kind without namespaces. */
  namespace?: string | undefined
  /** Undefined where a request names no object: create, and list, watch and deletecollection without a selected name. */
  name?: string | undefined
}

/** A request as authorization sees it: about a path outside of resources. */
export interface PathAttributes {
  verb: string
  path: string
}

export type Attributes = ResourceAttributes | PathAttributes

export function isPath(asked: Attributes): asked is PathAttributes {
  return 'path' in asked
}

/** `reason` says which binding allows it, or what went wrong in looking; it may be empty. */
export interface Decision {
  allowed: boolean
  reason: string
}

export type Authorize = (user: UserInfo, asked: Attributes) => Decision
