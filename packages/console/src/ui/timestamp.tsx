import { Tooltip } from '@patternfly/react-core'
import { absoluteTimes, relativeTime } from '../model/format.ts'
import { useNow } from './use-now.ts'

/** "3 minutes ago", with the time itself, UTC and local, in the tooltip; "-" without one. */
export function Timestamp({ at, 'data-test': dataTest }: { at: string | null | undefined; 'data-test'?: string }) {
  const now = useNow()
  if (!at) return <span data-test={dataTest}>-</span>
  const time = new Date(at)
  const { utc, local } = absoluteTimes(time)
  return (
    <Tooltip
      content={
        <>
          <div>{utc}</div>
          <div>{local}</div>
        </>
      }
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the tooltip must be reachable by keyboard */}
      <time dateTime={at} data-test={dataTest} tabIndex={0}>
        {relativeTime(time, now)}
      </time>
    </Tooltip>
  )
}
