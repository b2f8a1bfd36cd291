import { Grid, GridItem, Stack, StackItem } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { VmActions } from '../use-vm-actions.tsx'
import { DetailsCard } from './details-card.tsx'
import { DisksCard } from './disks-card.tsx'
import { EventsCard } from './events-card.tsx'
import { SnapshotsCard } from './snapshots-card.tsx'

/** What one wants to know of a VM at first sight. */
export function OverviewTab({ vm, actions }: { vm: VirtualMachine; actions: VmActions }) {
  return (
    <Grid hasGutter>
      <GridItem md={7}>
        <Stack hasGutter>
          <StackItem>
            <DetailsCard vm={vm} />
          </StackItem>
          <StackItem>
            <DisksCard vm={vm} />
          </StackItem>
        </Stack>
      </GridItem>
      <GridItem md={5}>
        <Stack hasGutter>
          <StackItem>
            <SnapshotsCard vm={vm} actions={actions} />
          </StackItem>
          <StackItem>
            <EventsCard vm={vm} />
          </StackItem>
        </Stack>
      </GridItem>
    </Grid>
  )
}
