import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { UserInfo } from './admission.ts'

export const fieldValidations = ['Ignore', 'Warn', 'Strict'] as const
export type FieldValidation = (typeof fieldValidations)[number]

/** What every operation on a resource is told, whatever its verb. */
export interface Call {
  definition: ResourceDefinition
  /** The version in the URL; objects are stored in the definition's own version. */
  version: string
  namespace: string | undefined
  user: UserInfo
  dryRun: boolean
  fieldValidation: FieldValidation
  /** Adds a Warning header to the answer. */
  warn(text: string): void
}

export const propagationPolicies = ['Background', 'Foreground', 'Orphan'] as const
export type PropagationPolicy = (typeof propagationPolicies)[number]

export interface DeleteOptions {
  propagationPolicy?: PropagationPolicy | undefined
  preconditions?: { uid?: string | undefined; resourceVersion?: string | undefined } | undefined
}
