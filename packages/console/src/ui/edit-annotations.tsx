import { Button, FormGroup, Grid, GridItem, TextInput } from '@patternfly/react-core'
import { MinusCircleIcon, PlusCircleIcon } from '@patternfly/react-icons'
import { useState } from 'react'
import { patch } from '../kube/client.ts'
import { commandFor } from '../model/commands.ts'
import { mapOf, type Pair, pairsPatch, whyNotPairs } from '../model/labels.ts'
import { ActionDialog } from './action-dialog.tsx'
import type { EditProps } from './edit-labels.tsx'

interface Row extends Pair {
  id: number
}

/** Changes the annotations of an object. */
export function EditAnnotationsDialog({ definition, object, onClose }: EditProps) {
  const before = object.metadata.annotations ?? {}
  const [rows, setRows] = useState<readonly Row[]>(() => {
    const found = Object.entries(before).map(([key, value], id) => ({ id, key, value }))
    return found.length === 0 ? [{ id: 0, key: '', value: '' }] : found
  })
  const problem = whyNotPairs(rows)
  const changes = problem === undefined ? pairsPatch(before, mapOf(rows)) : undefined
  const body = { metadata: { annotations: changes } }
  const save = async (): Promise<void> => {
    if (changes) await patch(definition, object, body)
    onClose()
  }
  const put = (id: number, change: Partial<Pair>): void =>
    setRows(rows.map((row) => (row.id === id ? { ...row, ...change } : row)))
  return (
    <ActionDialog
      title="Edit annotations"
      submitLabel="Save"
      onSubmit={save}
      onClose={onClose}
      focus='[data-test="pairs-list-name"]'
      {...(problem === undefined ? {} : { disabledReason: problem })}
      {...(changes ? { command: commandFor({ do: 'patch', object, patch: body }) } : {})}
    >
      <FormGroup role="group" label={`Annotations of ${object.metadata.name}`}>
        <Grid hasGutter>
          {rows.map(({ id, key, value }, index) => (
            <AnnotationRow
              key={id}
              index={index}
              pair={{ key, value }}
              onChange={(change) => put(id, change)}
              onRemove={() => setRows(rows.filter((row) => row.id !== id))}
            />
          ))}
          <GridItem>
            <Button
              variant="link"
              isInline
              icon={<PlusCircleIcon />}
              data-test="pairs-list-add"
              onClick={() =>
                setRows([...rows, { id: Math.max(-1, ...rows.map((row) => row.id)) + 1, key: '', value: '' }])
              }
            >
              Add more
            </Button>
          </GridItem>
        </Grid>
      </FormGroup>
    </ActionDialog>
  )
}

interface RowProps {
  index: number
  pair: Pair
  onChange: (change: Partial<Pair>) => void
  onRemove: () => void
}

function AnnotationRow({ index, pair: { key, value }, onChange, onRemove }: RowProps) {
  return (
    <>
      <GridItem span={5}>
        <TextInput
          aria-label={`Key ${index + 1}`}
          placeholder="Key"
          data-test="pairs-list-name"
          value={key}
          onChange={(_, next) => onChange({ key: next })}
        />
      </GridItem>
      <GridItem span={6}>
        <TextInput
          aria-label={`Value ${index + 1}`}
          placeholder="Value"
          data-test="pairs-list-value"
          value={value}
          onChange={(_, next) => onChange({ value: next })}
        />
      </GridItem>
      <GridItem span={1}>
        <Button
          variant="plain"
          icon={<MinusCircleIcon />}
          aria-label={`Remove ${key || `row ${index + 1}`}`}
          data-test="pairs-list-delete-btn"
          onClick={onRemove}
        />
      </GridItem>
    </>
  )
}
