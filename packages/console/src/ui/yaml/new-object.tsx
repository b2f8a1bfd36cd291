import { Button, FlexItem } from '@patternfly/react-core'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useState } from 'react'
import { create } from '../../kube/client.ts'
import { fieldProblems } from '../../model/edited-object.ts'
import { lineOfField, objectIn, type Problem } from '../../model/yaml-text.ts'
import { ErrorAlert } from '../action-dialog.tsx'
import { Command } from '../command.tsx'
import { UnsavedGuard } from '../unsaved-guard.tsx'
import { YamlFrame } from './yaml-frame.tsx'

export interface NewObjectProps {
  definition: ResourceDefinition
  /** Where it is created; another namespace in the text is a mistake. */
  namespace: string
  /** What the editor begins with. */
  example: string
  onCreated: (object: KubeObject) => void
  onCancel: () => void
}

/** A new object, written as text. */
export default function NewObject({ definition, namespace, example, onCreated, onCancel }: NewObjectProps) {
  const [text, setText] = useState(example)
  const [problems, setProblems] = useState<readonly Problem[]>([])
  const [error, setError] = useState<unknown>()
  const [state, setState] = useState<'editing' | 'busy' | 'created'>('editing')

  const submit = async (): Promise<void> => {
    if (state !== 'editing') return
    setError(undefined)
    const read = newObject(text, definition, namespace)
    if ('problems' in read) return setProblems(read.problems)
    setProblems([])
    setState('busy')
    try {
      const created = await create(definition, read.object)
      setState('created')
      onCreated(created)
    } catch (failed) {
      setState('editing')
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
      <UnsavedGuard unsaved={text !== example && state !== 'created'} />
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
                isLoading={state === 'busy'}
                isAriaDisabled={state !== 'editing'}
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
