import type { Receipt } from '@stillpoint/api/snapshot/receipt'
import { exactDuration, utcTime } from '../model/format.ts'
import { type FreezeMark, freezeTimes } from '../model/freeze-bar.ts'

/** When the guest was asked to freeze, when each disk was cut and when the guest ran again, to scale and in numbers. */
export function FreezeBar({ receipt }: { receipt: Receipt }) {
  const times = freezeTimes(receipt)
  if (times === undefined) return <span className="console-subtle">No times are known</span>
  const { marks, cuts, frozen, totalMs } = times
  return (
    <div data-test="freeze-bar">
      <div className="console-freeze-bar" aria-hidden="true">
        {frozen === undefined ? null : (
          <div
            className="console-freeze-still"
            style={{ insetInlineStart: `${frozen.from}%`, width: `${frozen.to - frozen.from}%` }}
          />
        )}
        {cuts.map(({ label, percent }) => (
          <div key={label} className="console-freeze-cut" style={{ insetInlineStart: `${percent}%` }} />
        ))}
      </div>
      <ol className="console-freeze-marks">
        {[...marks, ...cuts.map((cut) => ({ ...cut, label: `Disk ${cut.label} cut` }))]
          .sort((one, other) => one.atMs - other.atMs)
          .map((mark) => (
            <Moment key={mark.label} mark={mark} />
          ))}
      </ol>
      <p className="console-reason">
        {exactDuration(totalMs)} in all
        {receipt.freeze?.frozenMs === undefined
          ? ''
          : `; the guest stood still for ${exactDuration(receipt.freeze.frozenMs)}`}
        . Shaded: frozen. Upright lines: disks cut.
      </p>
    </div>
  )
}

function Moment({ mark: { label, atMs, offsetMs } }: { mark: FreezeMark }) {
  return (
    <li>
      <strong>{label}</strong> <span title={utcTime(atMs)}>+{exactDuration(offsetMs)}</span>
    </li>
  )
}
