import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'

export const views = ['table', 'timeline', 'tree'] as const
export type View = (typeof views)[number]

const labels: Record<View, string> = { table: 'Table', timeline: 'Timeline', tree: 'Tree' }

/** The view an address asks for; the table without one. */
export function viewIn(params: URLSearchParams): View {
  const asked = params.get('view')
  return views.find((view) => view === asked) ?? 'table'
}

/** Table, timeline or tree. */
export function ViewSwitch({ view, onChange }: { view: View; onChange: (view: View) => void }) {
  return (
    <ToggleGroup aria-label="How the snapshots are shown" isCompact>
      {views.map((each) => (
        <ToggleGroupItem
          key={each}
          buttonId={`view-${each}`}
          text={labels[each]}
          isSelected={view === each}
          onChange={() => onChange(each)}
        />
      ))}
    </ToggleGroup>
  )
}
