import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isConflict } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useState } from 'react'
import { replace } from '../../kube/client.ts'
import { fieldProblems, sameButStatus, whyOtherObject } from '../../model/edited-object.ts'
import { lineOfField, objectIn, type Problem } from '../../model/yaml-text.ts'

// untouched: the text follows the object, live ─ typing ─► draft: the text stays, the object may move on beneath it
//   draft ─ save ─► untouched    draft ─ the object got another spec ─► draft, outdated ─ keep ─► draft on what is now

interface Draft {
  text: string
  /** The object the text began as. */
  base: KubeObject
}

export interface ObjectDraft {
  /** The newest object known. */
  current: KubeObject
  /** Undefined while nothing is edited. */
  draft: Draft | undefined
  /** Somebody else has changed what the draft began as. */
  outdated: boolean
  busy: boolean
  problems: readonly Problem[]
  /** Why saving failed, when no field is to blame. */
  error: unknown
  /** What was saved last. */
  saved: KubeObject | undefined
  edit(text: string): void
  discard(): void
  /** Goes on with the draft, knowing what has changed beneath it. */
  keep(): void
  save(): Promise<void>
}

interface State {
  draft?: Draft | undefined
  problems?: readonly Problem[]
  error?: unknown
  saved?: KubeObject | undefined
  /** The answer to a save stands for the object until the watch brings it. */
  answer?: { object: KubeObject; insteadOf: KubeObject } | undefined
}

const none: readonly Problem[] = []

/** The state of editing an object as text. */
export function useDraft(definition: ResourceDefinition, object: KubeObject): ObjectDraft {
  const [state, setState] = useState<State>({})
  const [busy, setBusy] = useState(false)
  const { draft, answer } = state
  const current = answer?.insteadOf === object ? answer.object : object

  const save = async (): Promise<void> => {
    if (!draft || busy) return
    const edited = editedObject(draft, current)
    if ('problems' in edited) return setState({ draft, answer, problems: edited.problems })
    setBusy(true)
    try {
      const saved: KubeObject = await replace(definition, edited.object)
      setState({ saved, answer: { object: saved, insteadOf: object } })
    } catch (error) {
      const problems = fieldProblems(error)?.map(({ field, message }) => ({
        message,
        line: field === undefined ? undefined : lineOfField(draft.text, field),
      }))
      setState({ draft, answer, ...(problems && !isConflict(error) ? { problems } : { error }) })
    } finally {
      setBusy(false)
    }
  }

  return {
    current,
    draft,
    outdated: draft !== undefined && !sameButStatus(draft.base, current),
    busy,
    problems: state.problems ?? none,
    error: state.error,
    saved: state.saved,
    edit: (text) => setState({ answer, draft: { text, base: draft?.base ?? current } }),
    discard: () => setState({ answer }),
    keep: () => setState({ answer, draft: draft && { text: draft.text, base: current } }),
    save,
  }
}

/** What a draft says, with the version it stands on: the server refuses it when somebody else was faster. */
function editedObject({ text, base }: Draft, current: KubeObject): ReturnType<typeof objectIn> {
  const read = objectIn(text)
  if ('problems' in read) return read
  const other = whyOtherObject(read.object, current)
  if (other) return { problems: [{ message: other.message, line: lineOfField(text, other.field) }] }
  const { resourceVersion } = (sameButStatus(base, current) ? current : base).metadata
  const metadata = { ...read.object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) }
  if (current.metadata.namespace !== undefined) metadata.namespace = current.metadata.namespace
  return { object: { ...read.object, metadata } }
}
