import { Button, FlexItem } from '@patternfly/react-core'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { fieldProblems } from '../../model/edited-object.ts'
import { lineOfField, objectIn, type Problem, yamlOf } from '../../model/yaml-text.ts'
import { ErrorAlert } from '../action-dialog.tsx'
import { Command } from '../command.tsx'
import { UnsavedGuard } from '../unsaved-guard.tsx'
import { useMade } from '../use-made.ts'
import { YamlFrame } from './yaml-frame.tsx'

export interface NewObjectProps {
  definition: ResourceDefinition
  /** Where it is created; another namespace in the text is a mistake. */
  namespace: string
  /** What the editor begins with. */
  example: KubeObject
  onCreated: (object: KubeObject) => void
  onCancel: () => void
}

/** A new object, written as text. */
export default function NewObject({ definition, namespace, example, onCreated, onCancel }: NewObjectProps) {
  const [begin] = useState(() => yamlOf(example))
  const [text, setText] = useState(begin)
  const [problems, setProblems] = useState<readonly Problem[]>([])
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useMade(onCreated)

  const submit = async (): Promise<void> => {
    if (busy || made) return
    setError(undefined)
    const read = newObject(text, definition, namespace)
    if ('problems' in read) return setProblems(read.problems)
    setProblems([])
    setBusy(true)
    try {
      setMade(await create(definition, read.object))
    } catch (failed) {
      setBusy(false)
      const found = fieldProblems(failed)
      if (found)
        setProblems(
          found.map(({ field, message }) => ({ message, line: field ? lineOfField(text, field) : undefined })),
        )
      else setError(failed)
    }
  }

  return (
    <>
      <UnsavedGuard unsaved={text !== begin && made === undefined} withSearch />
      <YamlFrame
        label={`YAML of the new ${definition.kind}`}
        text={text}
        onChange={setText}
        problems={problems}
        fileName={`${definition.singular}.yaml`}
        notices={error === undefined ? null : <ErrorAlert error={error} title="It was not created" />}
        footer={<Command text={`kubectl create -n ${namespace} -f ${definition.singular}.yaml`} />}
        buttons={
          <>
            <FlexItem>
              <Button
                id="save-changes"
                data-test="save-changes"
                onClick={() => void submit()}
                isLoading={busy}
                isAriaDisabled={busy}
              >
                Create
              </Button>
            </FlexItem>
            <FlexItem>
              <Button variant="link" onClick={onCancel}>
                Cancel
              </Button>
            </FlexItem>
          </>
        }
      />
    </>
  )
}

function newObject(text: string, definition: ResourceDefinition, namespace: string): ReturnType<typeof objectIn> {
  const read = objectIn(text)
  if ('problems' in read) return read
  const { kind, metadata } = read.object
  if (kind !== definition.kind)
    return { problems: [{ message: `The kind is ${definition.kind} here.`, line: lineOfField(text, 'kind') }] }
  if ((metadata.namespace ?? namespace) !== namespace)
    return {
      problems: [
        { message: `It is created in namespace ${namespace}.`, line: lineOfField(text, 'metadata.namespace') },
      ],
    }
  return { object: { ...read.object, metadata: { ...metadata, namespace } } }
}
