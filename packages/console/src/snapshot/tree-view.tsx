import { Button, Label } from '@patternfly/react-core'
import { BanIcon, MapMarkerIcon, VirtualMachineIcon } from '@patternfly/react-icons'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { type KeyboardEvent, type ReactNode, useRef, useState } from 'react'
import { Link } from 'react-router'
import type { Timeline } from '../model/timeline.ts'
import { type TreeRow, treeOf } from '../model/tree.ts'
import { objectPath } from '../shell/paths.ts'
import { Timestamp } from '../ui/timestamp.tsx'
import { useNow } from '../ui/use-now.ts'
import { markOf } from './point-mark.tsx'

interface Props {
  timeline: Timeline
  namespace: string
  selected: string | undefined
  onSelect: (name: string) => void
}

/** So many lines are shown at first: the youngest, which are what people look for. */
const shownAtFirst = 200

/** What grew out of what: branches below the point they began from. */
export function TreeView({ timeline, namespace, selected, onSelect }: Props) {
  const now = useNow()
  const list = useRef<HTMLDivElement>(null)
  const [limit, setLimit] = useState(shownAtFirst)
  const rows = treeOf(timeline)
  const hidden = Math.max(0, rows.length - limit)
  const shown = rows.slice(hidden)
  const tabStop = shown.find((row) => row.kind === 'point' && row.point.name === selected) ?? shown[0]

  const choose = (row: TreeRow): void => {
    if (row.kind === 'point') onSelect(row.point.name)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[role="treeitem"]') ?? [])]
    const at = items.indexOf(document.activeElement as HTMLElement)
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key]
    if (to === undefined || at < 0) return
    event.preventDefault()
    items[Math.min(Math.max(to, 0), items.length - 1)]?.focus()
  }

  return (
    <>
      {hidden > 0 ? (
        <Button variant="link" onClick={() => setLimit(limit + shownAtFirst)}>
          Show {Math.min(hidden, shownAtFirst)} earlier of {hidden}
        </Button>
      ) : null}
      <div
        className="console-tree"
        role="tree"
        aria-label="Points and what grew out of them"
        ref={list}
        onKeyDown={onKeyDown}
      >
        {shown.map((row) => (
          <div
            key={row.key}
            role="treeitem"
            aria-level={row.level + 1}
            aria-selected={row.kind === 'point' && row.point.name === selected}
            tabIndex={row === tabStop ? 0 : -1}
            style={{ marginInlineStart: `${row.level * 1.75}rem` }}
            onClick={() => choose(row)}
            onKeyDown={(event) => {
              if (event.target !== event.currentTarget || (event.key !== 'Enter' && event.key !== ' ')) return
              event.preventDefault()
              choose(row)
            }}
          >
            <Row row={row} now={now} namespace={namespace} />
          </div>
        ))}
      </div>
    </>
  )
}

function Row({ row, now, namespace }: { row: TreeRow; now: Date; namespace: string }): ReactNode {
  switch (row.kind) {
    case 'point': {
      const { Icon, tone, words } = markOf(row.point, now)
      return (
        <>
          <span className={`console-tone-${tone}`}>
            <Icon />
          </span>{' '}
          <strong>{row.point.name}</strong> <span className="console-subtle">{words}</span>{' '}
          <Timestamp at={new Date(row.point.timeMs).toISOString()} />
        </>
      )
    }
    case 'gone':
      return (
        <span className="console-subtle">
          <BanIcon /> {row.name} (deleted)
        </span>
      )
    case 'copy':
      return (
        <>
          <VirtualMachineIcon /> VirtualMachine{' '}
          <Link to={objectPath(VirtualMachine, { namespace, name: row.copy.vm })}>{row.copy.vm}</Link> was made out of
          it
        </>
      )
    case 'here':
      return (
        <Label color="blue" icon={<MapMarkerIcon />}>
          You are here
        </Label>
      )
    default:
      return row satisfies never
  }
}
