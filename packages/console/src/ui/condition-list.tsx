import type { Condition } from '@stillpoint/api/meta/condition'
import { Timestamp } from './timestamp.tsx'

/** The conditions of an object in words: what holds, why, and since when. */
export function ConditionList({ conditions }: { conditions: readonly Condition[] | undefined }) {
  if (!conditions?.length) return <span className="console-subtle">None yet</span>
  return (
    <ul className="console-plain-list" data-test="conditions">
      {conditions.map(({ type, status, reason, message, lastTransitionTime }) => (
        <li key={type}>
          <strong>{type}</strong>: {words[status]}
          {reason ? <>. {reason}</> : null}
          {message ? <>. {message}</> : null}
          {lastTransitionTime ? (
            <span className="console-subtle">
              {', '}
              <Timestamp at={lastTransitionTime} />
            </span>
          ) : null}
        </li>
      ))}
    </ul>
  )
}

const words: Record<Condition['status'], string> = { True: 'yes', False: 'no', Unknown: 'unknown' }
