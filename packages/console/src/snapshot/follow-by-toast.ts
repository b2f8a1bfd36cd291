import type { ObjectOf, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { untilForgotten } from '../kube/use-objects.ts'
import { GoneError, waitFor } from '../kube/wait-for.ts'
import { hideToast, showToast, type Toast } from '../ui/toast-store.ts'
import { showError } from '../ui/toasts.tsx'

interface Following<R extends ResourceDefinition> {
  definition: R
  object: ObjectOf<R>
  /** What is said while it is under way. */
  underWay: Omit<Toast, 'key'>
  /** What came of it; undefined while it is under way. */
  outcome: (object: ObjectOf<R>) => Omit<Toast, 'key'> | undefined
  /** What is said when the object cannot be watched any more. */
  lost: string
}

/** Tells how something that was asked for is doing, and what came of it, wherever the user goes meanwhile. */
export async function followByToast<R extends ResourceDefinition>(following: Following<R>): Promise<void> {
  const { definition, object, underWay, outcome, lost } = following
  const key = `${definition.plural} ${object.metadata.uid}`
  const until = untilForgotten()
  showToast({ key, ...underWay })
  try {
    showToast({ key, ...(await waitFor(definition, object, outcome, until)) })
  } catch (error) {
    hideToast(key)
    // Whoever deleted it, or signed out, knows.
    if (!(error instanceof GoneError) && !until.aborted) showError(lost, error)
  }
}
