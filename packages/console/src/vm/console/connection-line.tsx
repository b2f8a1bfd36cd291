import { Button, Flex, FlexItem } from '@patternfly/react-core'
import { duration } from '../../model/format.ts'
import { ToneIcon } from '../../ui/tone.tsx'
import { useNow } from '../../ui/use-now.ts'
import type { SocketState } from './guest-socket.ts'

/** Where the connection to a guest stands, in words, announced politely. */
export function ConnectionLine({ state, onConnect }: { state: SocketState; onConnect: () => void }) {
  const now = useNow(1_000)
  return (
    <Flex spaceItems={{ default: 'spaceItemsSm' }} alignItems={{ default: 'alignItemsCenter' }}>
      <FlexItem role="status" data-test="console-state">
        <Words state={state} />
      </FlexItem>
      {state.kind === 'waiting' ? (
        // Counted outside the live region, or it would be read out every second.
        <FlexItem className="console-subtle">
          Next try in {duration(Math.max(1_000, state.retryAtMs - now.getTime()))}
        </FlexItem>
      ) : null}
      {state.kind === 'waiting' || state.kind === 'refused' ? (
        <FlexItem>
          <Button variant="link" isInline onClick={onConnect}>
            Connect now
          </Button>
        </FlexItem>
      ) : null}
    </Flex>
  )
}

function Words({ state }: { state: SocketState }) {
  switch (state.kind) {
    case 'connecting':
      return (
        <>
          <ToneIcon tone="info" running /> Connecting
        </>
      )
    case 'connected':
      return (
        <>
          <ToneIcon tone="success" /> Connected
        </>
      )
    case 'waiting':
      return (
        <>
          <ToneIcon tone="warning" /> Closed: {state.why}
        </>
      )
    case 'refused':
      return (
        <>
          <ToneIcon tone="danger" /> Refused: {state.why}
        </>
      )
    default:
      return state satisfies never
  }
}
