import { absoluteTimes, type Moment, msOf, relativeTime } from '../model/format.ts'
import { Hint } from './hint.tsx'
import { useNow } from './use-now.ts'

interface Props {
  at: Moment | null | undefined
  'data-test'?: string
}

/** "3 minutes ago", with the time itself, UTC and local, in the tooltip; "-" without one. */
export function Timestamp({ at, 'data-test': dataTest }: Props) {
  const now = useNow()
  const ms = msOf(at)
  if (ms === undefined) return <span data-test={dataTest}>-</span>
  const { utc, local } = absoluteTimes(ms)
  return (
    <Hint
      content={
        <>
          <div>{utc}</div>
          <div>{local}</div>
        </>
      }
    >
      <time dateTime={new Date(ms).toISOString()} data-test={dataTest}>
        {relativeTime(ms, now)}
      </time>
    </Hint>
  )
}
