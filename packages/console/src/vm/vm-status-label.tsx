import { Icon } from '@patternfly/react-core'
import { OffIcon, PauseCircleIcon } from '@patternfly/react-icons'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VmWork } from '../model/vm-status.ts'
import { vmStatus } from '../model/vm-status.ts'
import { ToneIcon } from '../ui/tone.tsx'

/** What a VM does now: an icon and the API's word; below it why, and what is done with it. */
export function VmStatusLabel({ vm, work }: { vm: VirtualMachine; work?: VmWork | undefined }) {
  const { label, tone, running, detail } = vmStatus(vm)
  return (
    <div>
      <span className="console-nowrap" data-test="vm-status">
        <VmIcon label={label} tone={tone} running={running} /> {label}
      </span>
      {detail === undefined ? null : <div className="console-subtle">{detail}</div>}
      {work === undefined ? null : (
        <div className="console-subtle" data-test="vm-work">
          <ToneIcon tone={work.tone} running={work.tone === 'info'} /> {work.text}
        </div>
      )}
    </div>
  )
}

function VmIcon({ label, tone, running }: Pick<ReturnType<typeof vmStatus>, 'label' | 'tone' | 'running'>) {
  if (label === 'Stopped')
    return (
      <Icon>
        <OffIcon />
      </Icon>
    )
  if (label === 'Paused')
    return (
      <Icon status="warning">
        <PauseCircleIcon />
      </Icon>
    )
  return <ToneIcon tone={tone} running={running} />
}
