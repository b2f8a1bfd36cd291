import { FormGroup, FormSection, Radio } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { useObjects } from '../../kube/use-objects.ts'
import { claimSize } from '../../model/claims.ts'
import { claimUsers, type DiskSource, diskSources, type NewVm, type NewVmProblems } from '../../model/new-vm.ts'
import { TextField } from '../../ui/text-field.tsx'
import { ChoiceField } from './choice-field.tsx'
import { SizeField } from './size-field.tsx'
import { SnapshotFields } from './snapshot-fields.tsx'

interface Props {
  form: NewVm
  change: (part: Partial<NewVm>) => void
  namespace: string
  /** Of the namespace. */
  vms: readonly VirtualMachine[]
  problems: NewVmProblems
  isTried: boolean
}

const labels: Record<DiskSource, { label: string; description: string }> = {
  image: { label: 'Image', description: 'Downloaded, or read from a directory the server offers' },
  blank: { label: 'Blank', description: 'An empty disk: nothing to start from until something is installed' },
  snapshot: { label: 'VolumeSnapshot', description: 'A new disk with the content of a snapshot' },
  claim: { label: 'Existing claim', description: 'A disk that is there, used as it is' },
}

/** The disk a new VM starts from: where its content comes from, and how large it is. */
export function DiskFields({ form, change, namespace, vms, problems, isTried }: Props) {
  return (
    <FormSection title="Disk" titleElement="h2">
      <FormGroup role="radiogroup" label="Content from" fieldId="source" isStack>
        {diskSources.map((source) => (
          <Radio
            key={source}
            id={`source-${source}`}
            name="source"
            label={labels[source].label}
            description={labels[source].description}
            isChecked={form.source === source}
            onChange={() => change({ source })}
          />
        ))}
      </FormGroup>
      {form.source === 'image' ? (
        <TextField
          id="url"
          label="Address of the image"
          isRequired
          value={form.url}
          onChange={(url) => change({ url })}
          problem={problems.url}
          isTried={isTried}
          help="https://…, http://…, or file:///NAME for an image in a directory of stillpoint up --import-dir. raw or qcow2, also packed with gz or xz."
        />
      ) : null}
      {form.source === 'snapshot' ? (
        <SnapshotFields
          form={form}
          change={change}
          namespace={namespace}
          problem={isTried ? problems.snapshot : undefined}
        />
      ) : null}
      {form.source === 'claim' ? (
        <ClaimField
          form={form}
          change={change}
          namespace={namespace}
          vms={vms}
          problem={isTried ? problems.claim : undefined}
        />
      ) : (
        <SizeField
          id="size"
          label="Size"
          units={['Mi', 'Gi', 'Ti']}
          size={form.size}
          onChange={(size) => change({ size })}
          problem={problems.size}
          help={form.source === 'image' ? 'At least as large as the image when it is unpacked.' : undefined}
        />
      )}
    </FormSection>
  )
}

type ClaimProps = Pick<Props, 'form' | 'change' | 'namespace' | 'vms'> & { problem: string | undefined }

function ClaimField({ form, change, namespace, vms, problem }: ClaimProps) {
  const { items, status, error } = useObjects(PersistentVolumeClaim, namespace)
  const users = claimUsers(vms)
  return (
    <ChoiceField
      id="claim"
      label="Claim"
      value={form.claim}
      onChange={(claim) => change({ claim })}
      problem={status === 'forbidden' ? error?.message : problem}
      placeholder={items.length === 0 ? 'There is none in this namespace' : 'Choose a claim'}
      options={items.map((claim) => {
        const { name } = claim.metadata
        const user = users.get(name)
        return {
          value: name,
          label: [name, claimSize(claim), user && `used by ${user}`].filter(Boolean).join(', '),
          disabled: user !== undefined,
        }
      })}
    />
  )
}
