import { Card, CardBody, CardTitle } from '@patternfly/react-core'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { Link } from 'react-router'
import { objectPath } from '../../shell/paths.ts'
import { EventLines } from '../../ui/event-list.tsx'
import { WhenReady } from '../../ui/states.tsx'
import { useVmEvents } from '../use-vm-events.ts'

/** All are in the tab. */
const shownCount = 5

export function EventsCard({ vm }: { vm: VirtualMachine }) {
  const { list, events } = useVmEvents(vm)
  return (
    <Card>
      <CardTitle component="h2">
        <Link to={objectPath(VirtualMachine, vm.metadata, 'events')}>Last events</Link>
      </CardTitle>
      <CardBody>
        <WhenReady list={list} what="events">
          {events.length === 0 ? (
            <span className="console-subtle">No events. They are kept for a limited time only.</span>
          ) : null}
          <EventLines events={events.slice(0, shownCount)} />
        </WhenReady>
      </CardBody>
    </Card>
  )
}
