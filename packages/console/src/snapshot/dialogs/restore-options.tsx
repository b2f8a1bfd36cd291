import { Checkbox, FormGroup, FormSelect, FormSelectOption, Radio } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { type Naming, namings } from '../../model/restore-plan.ts'
import { FieldHelp, TextField } from '../../ui/text-field.tsx'
import { Foldable } from './disks-section.tsx'

/** What a person chooses of a restore. Undefined: not chosen, the dialog proposes by what it knows. */
export interface RestoreOptions {
  mode: 'replace' | 'new'
  newName: string
  stop: boolean
  startAfter: boolean | undefined
  keepCurrent: boolean
  naming: Naming | undefined
}

interface PartProps {
  options: RestoreOptions
  onChange: (change: Partial<RestoreOptions>) => void
}

/** Into the VM itself, or into one of another name. */
export function ModeChoice({
  options: { mode, newName },
  onChange,
  name,
  gone,
  problem,
}: PartProps & { name: string; gone: boolean; problem: string | undefined }) {
  return (
    <>
      <FormGroup label="Restore into" role="radiogroup" fieldId="restore-mode" isInline>
        <Radio
          id="mode-replace"
          name="mode"
          label={gone ? `${name}, made again` : `This VirtualMachine, ${name}`}
          isChecked={mode === 'replace'}
          onChange={() => onChange({ mode: 'replace' })}
        />
        <Radio
          id="mode-new"
          name="mode"
          label="New VirtualMachine"
          isChecked={mode === 'new'}
          onChange={() => onChange({ mode: 'new' })}
        />
      </FormGroup>
      {mode === 'new' ? (
        <TextField
          id="restore-new-name"
          label="Name of the new VirtualMachine"
          isRequired
          value={newName}
          onChange={(value) => onChange({ newName: value })}
          problem={problem}
          help={`${name} stays as it is. The new one has other MAC addresses, UUID and serial number.`}
        />
      ) : null}
    </>
  )
}

/** Of KubeVirt, for a guest whose definition names none. */
const defaultGraceSeconds = 30

/** What happens to a guest that runs, and afterwards. */
export function PowerPlan({
  options: { mode, stop },
  onChange,
  vm,
  startAfter,
}: PartProps & { vm: VirtualMachine | undefined; startAfter: boolean }) {
  const runs = mode === 'replace' && vm !== undefined && isOn(vm)
  const grace = vm?.spec.template.spec.terminationGracePeriodSeconds ?? defaultGraceSeconds
  return (
    <FormGroup label="Power" role="group" fieldId="power" isStack>
      {runs ? (
        <Checkbox
          id="stop-first"
          label={`Stop ${vm.metadata.name} first`}
          description={
            stop
              ? `The guest is asked to shut down, and switched off after ${grace} s.`
              : 'The restore waits until somebody has shut it down.'
          }
          isChecked={stop}
          onChange={(_, checked) => onChange({ stop: checked })}
        />
      ) : null}
      <Checkbox
        id="start-after"
        label={runs ? 'Start it again afterwards' : 'Start it afterwards'}
        isChecked={startAfter}
        onChange={(_, checked) => onChange({ startAfter: checked })}
      />
    </FormGroup>
  )
}

/** There is a guest, whatever it does. */
export function isOn({ status }: VirtualMachine): boolean {
  return status?.created === true
}

/** Whether there is a way back. */
export function KeepCurrent({ options, onChange, text }: PartProps & { text: string }) {
  return (
    <Checkbox
      id="keep-current"
      label="Keep the present state as a restore point"
      description={text}
      isChecked={options.keepCurrent}
      onChange={(_, checked) => onChange({ keepCurrent: checked })}
    />
  )
}

const namingLabels: Record<Naming, string> = {
  InPlace: 'Keep their names',
  PrefixTargetName: 'Name of the VirtualMachine and of the disk',
  RandomizeNames: 'Generated names',
}

/** What hardly anybody has to choose. */
export function AdvancedOptions({
  options: { mode },
  onChange,
  naming,
  hint,
}: PartProps & { naming: Naming; hint: string | undefined }) {
  // The names of the old disks are in use where the old VM stays.
  const offered = namings.filter((each) => mode === 'replace' || each !== 'InPlace')
  return (
    <Foldable title="Advanced">
      <FormGroup label="Names of the disks’ claims" fieldId="disk-naming">
        <FormSelect
          id="disk-naming"
          value={naming}
          onChange={(_, value) => onChange({ naming: value as Naming })}
          aria-describedby="disk-naming-help"
        >
          {offered.map((each) => (
            <FormSelectOption key={each} value={each} label={namingLabels[each]} />
          ))}
        </FormSelect>
        <FieldHelp
          id="disk-naming-help"
          help={
            hint ??
            (naming === 'InPlace'
              ? 'An old disk is deleted only when the restored one has taken its place.'
              : 'The VirtualMachine is changed to use the new claims.')
          }
        />
      </FormGroup>
    </Foldable>
  )
}
