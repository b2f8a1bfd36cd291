import { Alert, AlertActionLink, Button, ExpandableSection, FlexItem, Switch } from '@patternfly/react-core'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { isConflict } from '@stillpoint/api/meta/status-error'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { useMemo, useState } from 'react'
import { useNavigate } from 'react-router'
import { objectIn, yamlOf } from '../../model/yaml-text.ts'
import { ErrorAlert } from '../action-dialog.tsx'
import { Command } from '../command.tsx'
import { UnsavedGuard } from '../unsaved-guard.tsx'
import { TextDiff } from './text-diff.tsx'
import { type ObjectDraft, useDraft } from './use-draft.ts'
import { YamlFrame } from './yaml-frame.tsx'

export interface EditObjectProps {
  definition: ResourceDefinition
  /** The object as the watch last brought it. */
  object: KubeObject
  /** Why it may not be changed. */
  readOnlyReason?: string | undefined
  /** What Cancel does; without it, one page back. */
  onCancel?: () => void
}

/** An object as text: read, edited, saved by replacing it. */
export default function EditObject({ definition, object, readOnlyReason, onCancel }: EditObjectProps) {
  const navigate = useNavigate()
  const [managedFields, setManagedFields] = useState(false)
  const [comparing, setComparing] = useState(false)
  const editing = useDraft(definition, object)
  const { current, draft, busy, problems } = editing
  const clean = useMemo(() => yamlOf(current, { managedFields }), [current, managedFields])
  const { name, namespace } = object.metadata
  const readOnly = readOnlyReason !== undefined
  const where = namespace === undefined ? '' : ` -n ${namespace}`
  const fileName = `${definition.singular}-${name}.yaml`
  const cancel = onCancel ?? (() => void navigate(-1))
  return (
    <>
      <UnsavedGuard unsaved={draft !== undefined} />
      {readOnly ? <Alert isInline variant="info" title={readOnlyReason} component="h3" /> : null}
      <YamlFrame
        label={`YAML of ${definition.kind} ${name}`}
        text={draft?.text ?? clean}
        onChange={(text) => (text === clean && !editing.outdated ? editing.discard() : editing.edit(text))}
        readOnly={readOnly}
        problems={problems}
        fileName={fileName}
        tools={
          <Switch
            id="managed-fields"
            label="Show managed fields"
            isChecked={managedFields}
            isDisabled={draft !== undefined}
            onChange={(_, on) => setManagedFields(on)}
          />
        }
        notices={
          <>
            <Notices editing={editing} onCompare={() => setComparing(true)} />
            {draft ? (
              <ExpandableSection
                toggleText="What saving would change"
                isExpanded={comparing}
                onToggle={(_, open) => setComparing(open)}
              >
                {comparing ? <Comparison text={draft.text} object={current} /> : null}
              </ExpandableSection>
            ) : null}
          </>
        }
        footer={readOnly ? null : <Command text={`kubectl replace${where} -f ${fileName}`} />}
        buttons={
          readOnly ? null : (
            <>
              <FlexItem>
                <Button
                  id="save-changes"
                  data-test="save-changes"
                  onClick={() => void editing.save()}
                  isLoading={busy}
                  isAriaDisabled={busy || draft === undefined}
                >
                  Save
                </Button>
              </FlexItem>
              <FlexItem>
                <Button variant="secondary" onClick={editing.discard} isAriaDisabled={draft === undefined}>
                  Reload
                </Button>
              </FlexItem>
              <FlexItem>
                <Button variant="link" onClick={cancel}>
                  Cancel
                </Button>
              </FlexItem>
            </>
          )
        }
      />
    </>
  )
}

function Notices({ editing, onCompare }: { editing: ObjectDraft; onCompare: () => void }) {
  const { saved, error, outdated, discard, keep } = editing
  if (saved)
    return (
      <Alert
        isInline
        variant="success"
        title={`${saved.metadata.name} has been updated to version ${saved.metadata.resourceVersion}`}
      />
    )
  if (outdated || isConflict(error))
    return (
      <Alert
        isInline
        variant="warning"
        title="It has been changed meanwhile"
        data-test="yaml-conflict"
        actionLinks={
          <>
            <AlertActionLink onClick={discard}>Reload, and lose my changes</AlertActionLink>
            <AlertActionLink
              onClick={() => {
                keep()
                onCompare()
              }}
            >
              Keep editing and compare
            </AlertActionLink>
          </>
        }
      >
        Somebody else, or a controller, has saved another version since you began. Saved as it is, your text would take
        their changes back; the server refuses that until you have seen them.
      </Alert>
    )
  return error === undefined ? null : <ErrorAlert error={error} title="It was not saved" />
}

function Comparison({ text, object }: { text: string; object: KubeObject }) {
  const read = objectIn(text)
  if ('problems' in read) return <p>The text is not valid yet.</p>
  return <TextDiff label="What saving would change" before={comparable(object)} after={comparable(read.object)} />
}

/** Without what the server writes: that is no change of anybody here. */
function comparable(object: KubeObject): string {
  const { status: _, ...rest } = object as KubeObject & { status?: unknown }
  const { resourceVersion: _r, generation: _g, managedFields: _m, ...metadata } = object.metadata
  return yamlOf({ ...rest, metadata })
}
