import { Button, Content, Popover } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { guestAgentOf } from '../model/vm-status.ts'
import { ToneIcon } from '../ui/tone.tsx'

/** Whether the guest agent answers, and what helps when it does not. */
export function AgentLabel({ vm }: { vm: VirtualMachine }) {
  const state = guestAgentOf(vm)
  if (state === 'off') return '-'
  if (state === 'connected')
    return (
      <span className="console-nowrap">
        <ToneIcon tone="success" /> Connected
      </span>
    )
  return (
    <span className="console-nowrap">
      <ToneIcon tone="warning" />{' '}
      <Popover
        headerContent={state === 'absent' ? 'No guest agent answers' : 'The guest agent is too old'}
        headerComponent="h2"
        bodyContent={
          <Content>
            <p>
              Without it the file systems of the guest cannot be frozen: snapshots of the running guest are
              crash-consistent, as after a power cut.
            </p>
            <p>Install it in the guest, and start it:</p>
            <ul>
              <li>
                Debian, Ubuntu: <code>apt install qemu-guest-agent</code>
              </li>
              <li>
                Fedora, RHEL: <code>dnf install qemu-guest-agent</code>
              </li>
              <li>Windows: the installer of the virtio drivers</li>
            </ul>
          </Content>
        }
      >
        <Button variant="link" isInline>
          {state === 'absent' ? 'Not connected' : 'Too old'}
        </Button>
      </Popover>
    </span>
  )
}
