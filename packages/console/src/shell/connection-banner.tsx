import { Banner, Flex, FlexItem } from '@patternfly/react-core'
import { ExclamationTriangleIcon } from '@patternfly/react-icons'
import { useSyncExternalStore } from 'react'
import { connectionStore } from '../kube/connection.ts'
import { duration } from '../model/format.ts'
import { useNow } from '../ui/use-now.ts'

/** A break shorter than this is mended before anybody has read about it. */
const quietMs = 1_000

/** Says that what is on the screen may be old, for as long as it may be. */
export function ConnectionBanner() {
  const { lostSinceMs } = useSyncExternalStore(connectionStore.subscribe, connectionStore.get)
  const now = useNow(1_000)
  const lostMs = lostSinceMs === undefined ? 0 : now.getTime() - lostSinceMs
  if (lostSinceMs === undefined || lostMs < quietMs) return null
  return (
    <Banner status="warning" role="status" screenReaderText="Warning" data-test="connection-lost">
      <Flex spaceItems={{ default: 'spaceItemsSm' }} justifyContent={{ default: 'justifyContentCenter' }}>
        <FlexItem>
          <ExclamationTriangleIcon />
        </FlexItem>
        <FlexItem>
          Connection to the server lost {duration(lostMs)} ago. What you see may be old; it is tried again by itself.
        </FlexItem>
      </Flex>
    </Banner>
  )
}
