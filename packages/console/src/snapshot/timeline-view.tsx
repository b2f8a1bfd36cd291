import { Button, Content, Toolbar, ToolbarContent, ToolbarGroup, ToolbarItem } from '@patternfly/react-core'
import { ArrowsAltHIcon, MapMarkerIcon, SearchMinusIcon, SearchPlusIcon } from '@patternfly/react-icons'
import { type KeyboardEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { tickText } from '../model/tick-text.ts'
import { clustersOf, moved, placeOf, type Range, rangeOf, ticksOf, zoomed } from '../model/time-scale.ts'
import type { Point, Timeline } from '../model/timeline.ts'
import { useNow } from '../ui/use-now.ts'
import { markOf } from './point-mark.tsx'

interface Props {
  timeline: Timeline
  /** Name of the selected point. */
  selected: string | undefined
  onSelect: (name: string) => void
}

const laneHeight = 56
const axisHeight = 32
/** Marks closer than this cannot be hit one by one. */
const leastPx = 30
const tickPx = 110
/** At the right end, where now is, for the words beside the mark. */
const hereRoom = 116
const zoomStep = 0.6

/** Points on a time axis, a line for each branch. Everything the mouse can do, the keyboard can. */
export function TimelineView({ timeline, selected, onSelect }: Props) {
  const now = useNow()
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const { points, here, lanes, arcs } = timeline
  const all = useMemo(
    () => rangeOf([...points.map(({ timeMs }) => timeMs), ...arcs.map(({ toMs }) => toMs), here.timeMs]),
    [points, arcs, here.timeMs],
  )
  const [chosen, setRange] = useState<Range>()
  const range = chosen ?? all
  const plot = Math.max(width - hereRoom, 100)
  const x = (timeMs: number): number => placeOf(range, plot, timeMs)
  const y = (lane: number): number => lane * laneHeight + laneHeight / 2
  const selectedPoint = points.find(({ name }) => name === selected)
  const middle = selectedPoint?.timeMs ?? (range.fromMs + range.toMs) / 2
  const zoom = (factor: number, aroundMs = middle): void => setRange(zoomed(range, factor, aroundMs, all))
  useWheelZoom(box, (factor, px) => zoom(factor, range.fromMs + (px / plot) * (range.toMs - range.fromMs)))

  const visible = points.filter(({ timeMs }) => timeMs >= range.fromMs && timeMs <= range.toMs)
  const groups = Array.from({ length: lanes }, (_, lane) =>
    clustersOf(
      visible.filter((point) => point.lane === lane),
      ({ timeMs }) => x(timeMs),
      leastPx,
    ),
  ).flat()
  const { timesMs, stepMs } = ticksOf(range, Math.max(2, Math.floor(plot / tickPx)))
  const spans = useMemo(() => spansOf(timeline), [timeline])
  const byName = new Map(points.map((point) => [point.name, point]))

  /** Moves the selection along the points, whatever branch they are on, and brings it into sight. */
  const step = (by: number): void => {
    const index = selectedPoint ? points.indexOf(selectedPoint) + by : by > 0 ? 0 : points.length - 1
    const next = points[Math.min(Math.max(index, 0), points.length - 1)]
    if (!next) return
    onSelect(next.name)
    if (next.timeMs < range.fromMs || next.timeMs > range.toMs)
      setRange(moved(range, (next.timeMs - middle) / (range.toMs - range.fromMs), all))
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const acts = new Map<string, () => void>([
      ['ArrowLeft', () => (event.shiftKey ? setRange(moved(range, -0.25, all)) : step(-1))],
      ['ArrowRight', () => (event.shiftKey ? setRange(moved(range, 0.25, all)) : step(1))],
      ['+', () => zoom(zoomStep)],
      ['-', () => zoom(1 / zoomStep)],
      ['Home', () => step(-points.length)],
      ['End', () => step(points.length)],
    ])
    const act = acts.get(event.key)
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    act()
  }
  const focusable = selectedPoint && visible.includes(selectedPoint) ? selectedPoint : visible[0]
  useFollowFocus(box, selected)

  return (
    <>
      <Toolbar>
        <ToolbarContent>
          <ToolbarGroup variant="action-group-plain">
            <ToolbarItem>
              <Button variant="plain" aria-label="Zoom in" icon={<SearchPlusIcon />} onClick={() => zoom(zoomStep)} />
            </ToolbarItem>
            <ToolbarItem>
              <Button
                variant="plain"
                aria-label="Zoom out"
                icon={<SearchMinusIcon />}
                onClick={() => zoom(1 / zoomStep)}
              />
            </ToolbarItem>
            <ToolbarItem>
              <Button variant="link" icon={<ArrowsAltHIcon />} onClick={() => setRange(undefined)}>
                Show all
              </Button>
            </ToolbarItem>
          </ToolbarGroup>
          <ToolbarItem>
            <Content component="small">
              Arrow keys go from point to point, + and − zoom, Shift with an arrow key moves.
            </Content>
          </ToolbarItem>
        </ToolbarContent>
      </Toolbar>
      <div className="console-timeline" ref={box}>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would be announced as part of a form */}
        <div
          role="group"
          aria-label={`Timeline of ${points.length} snapshots on ${lanes} ${lanes === 1 ? 'branch' : 'branches'}`}
          onKeyDown={onKeyDown}
          style={{ height: lanes * laneHeight + axisHeight, position: 'relative' }}
        >
          <svg width={width} height={lanes * laneHeight + axisHeight} aria-hidden="true">
            {timesMs.map((time) => (
              <line key={time} className="console-tick" x1={x(time)} x2={x(time)} y1={0} y2={lanes * laneHeight} />
            ))}
            {spans.map(({ lane, fromMs, toMs }) => (
              <line key={lane} className="console-lane" x1={x(fromMs)} x2={x(toMs)} y1={y(lane)} y2={y(lane)} />
            ))}
            {arcs.map(({ restore, from, toMs, lane }) => {
              const origin = byName.get(from)
              const to = { x: x(toMs), y: y(lane) }
              const start = origin ? { x: x(origin.timeMs), y: y(origin.lane) } : { x: to.x - 24, y: to.y - 24 }
              const bend = (start.y + to.y) / 2
              return (
                <path
                  key={`${restore} ${toMs}`}
                  className="console-arc"
                  d={`M ${start.x} ${start.y} C ${start.x} ${bend}, ${to.x} ${bend}, ${to.x} ${to.y}`}
                />
              )
            })}
            {timesMs.map((time) => (
              <text
                key={time}
                className="console-tick-text"
                x={x(time)}
                y={lanes * laneHeight + 20}
                textAnchor="middle"
              >
                {tickText(time, stepMs)}
              </text>
            ))}
          </svg>
          {groups.map((group) => (
            <PointButton
              key={group[0]?.name}
              group={group}
              left={x(group[0]?.timeMs ?? 0)}
              top={y(group[0]?.lane ?? 0)}
              now={now}
              selected={selected}
              focusable={focusable !== undefined && group.includes(focusable)}
              onSelect={onSelect}
              onOpen={() =>
                setRange(zoomed(rangeOf(group.map(({ timeMs }) => timeMs)), 1.5, group[0]?.timeMs ?? 0, all))
              }
            />
          ))}
          <span
            className="console-here"
            style={{ left: Math.min(x(here.timeMs), plot) + leastPx / 2, top: y(here.lane) }}
          >
            <MapMarkerIcon /> You are here
          </span>
        </div>
      </div>
    </>
  )
}

interface PointButtonProps {
  group: readonly Point[]
  left: number
  top: number
  now: Date
  selected: string | undefined
  focusable: boolean
  onSelect: (name: string) => void
  onOpen: () => void
}

function PointButton({ group, left, top, now, selected, focusable, onSelect, onOpen }: PointButtonProps) {
  const [first] = group
  if (!first) return null
  const common = { type: 'button' as const, style: { left, top }, tabIndex: focusable ? 0 : -1 }
  const isSelected = group.some(({ name }) => name === selected)
  if (group.length > 1)
    return (
      <button
        {...common}
        className={`console-point console-points${isSelected ? ' console-selected' : ''}`}
        aria-label={`${group.length} snapshots from ${first.name} to ${group.at(-1)?.name}; press to zoom in`}
        data-focus={isSelected ? 'selected' : undefined}
        onClick={onOpen}
      >
        {group.length}
      </button>
    )
  const { Icon, tone, label } = markOf(first, now)
  return (
    <button
      {...common}
      className={`console-point console-tone-${tone}${isSelected ? ' console-selected' : ''}`}
      aria-label={label}
      aria-pressed={isSelected}
      title={label}
      data-focus={isSelected ? 'selected' : undefined}
      onClick={() => onSelect(first.name)}
    >
      <Icon />
    </button>
  )
}

/** From where to where each branch has anything on it. */
function spansOf({ points, arcs, here }: Timeline): (Range & { lane: number })[] {
  const spans = new Map<number, Range>()
  const add = (lane: number, timeMs: number): void => {
    const { fromMs, toMs } = spans.get(lane) ?? { fromMs: timeMs, toMs: timeMs }
    spans.set(lane, { fromMs: Math.min(fromMs, timeMs), toMs: Math.max(toMs, timeMs) })
  }
  for (const { lane, timeMs } of points) add(lane, timeMs)
  for (const { lane, toMs } of arcs) add(lane, toMs)
  add(here.lane, here.timeMs)
  return [...spans].map(([lane, span]) => ({ lane, ...span }))
}

function useWidth(box: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(800)
  useLayoutEffect(() => {
    const { current } = box
    if (!current) return
    const observer = new ResizeObserver(() => setWidth(Math.max(current.clientWidth, 200)))
    observer.observe(current)
    setWidth(Math.max(current.clientWidth, 200))
    return () => observer.disconnect()
  }, [box])
  return width
}

/** Zooms by the wheel while Ctrl is held, so that the page still scrolls without. */
function useWheelZoom(box: React.RefObject<HTMLElement | null>, zoom: (factor: number, px: number) => void): void {
  const latest = useRef(zoom)
  latest.current = zoom
  useEffect(() => {
    const { current } = box
    if (!current) return
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey) return
      event.preventDefault()
      const { left } = current.getBoundingClientRect()
      latest.current(event.deltaY < 0 ? zoomStep : 1 / zoomStep, event.clientX - left)
    }
    // React's own listeners may not prevent the browser's zoom.
    current.addEventListener('wheel', onWheel, { passive: false })
    return () => current.removeEventListener('wheel', onWheel)
  }, [box])
}

/** The focus follows the selection when it is among the points already. */
function useFollowFocus(box: React.RefObject<HTMLElement | null>, selected: string | undefined): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is the change of the selection that moves the focus
  useEffect(() => {
    const { current } = box
    if (current?.contains(document.activeElement) && document.activeElement?.classList.contains('console-point'))
      current.querySelector<HTMLElement>('[data-focus="selected"]')?.focus()
  }, [selected])
}
