import type { UserInfo } from '../registry/admission.ts'

/** Who a request is from. */
export interface Caller {
  /** Whose rights count: the one who is impersonated, if anybody is. */
  user: UserInfo
  /** Who showed the credential. */
  real: UserInfo
  /** When the credential ends; undefined for those that do not. */
  expires: Date | undefined
}
