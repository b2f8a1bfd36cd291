import {
  Badge,
  MenuToggle,
  type MenuToggleElement,
  SearchInput,
  Select,
  SelectList,
  SelectOption,
  Toolbar,
  ToolbarContent,
  ToolbarFilter,
  ToolbarGroup,
  ToolbarItem,
  ToolbarToggleGroup,
} from '@patternfly/react-core'
import { FilterIcon } from '@patternfly/react-icons'
import { type ReactNode, type Ref, useState } from 'react'

/** Some of a few. */
export interface FilterGroup {
  id: string
  title: string
  options: readonly { value: string; label: string }[]
  chosen: readonly string[]
  onChange: (chosen: string[]) => void
}

/** What is typed. */
export interface FilterText {
  id: string
  title: string
  placeholder: string
  value: string
  onChange: (value: string) => void
  /** What Enter makes of it: several labels, one after another. */
  several?: { values: readonly string[]; onChange: (values: string[]) => void }
}

interface Props {
  groups: readonly FilterGroup[]
  /** The first is the usual one. */
  texts: readonly [FilterText, ...FilterText[]]
  onClear: () => void
  /** Shown at the end. */
  children?: ReactNode
}

/** Narrows a list down; what is in effect stands below as labels that can be taken away. */
export function FilterToolbar({ groups, texts, onClear, children }: Props) {
  const [chosen, setChosen] = useState<string>()
  const text = texts.find(({ id }) => id === chosen) ?? texts[0]
  const shownTexts = texts.map((each) => (
    <ToolbarFilter
      key={each.id}
      categoryName={each.title}
      labels={each.several ? [...each.several.values] : each.value === '' ? [] : [each.value]}
      deleteLabel={(_, label) => takeAway(each, String(label))}
      deleteLabelGroup={() => (each.several ? each.several.onChange([]) : each.onChange(''))}
      showToolbarItem={each.id === text.id}
    >
      <SearchBox text={each} />
    </ToolbarFilter>
  ))
  return (
    <Toolbar
      data-test="filter-toolbar"
      clearAllFilters={onClear}
      clearFiltersButtonText="Clear all filters"
      collapseListedFiltersBreakpoint="md"
    >
      <ToolbarContent>
        <ToolbarToggleGroup toggleIcon={<FilterIcon />} breakpoint="md" aria-label="Filters">
          <ToolbarGroup variant="filter-group">
            {groups.map((group) => (
              <GroupFilter key={group.id} group={group} />
            ))}
            {texts.length > 1 ? (
              <ToolbarItem>
                <Choice
                  label={`Search by ${text.title.toLowerCase()}`}
                  text={text.title}
                  options={texts.map(({ id, title }) => ({ value: id, label: title }))}
                  chosen={[text.id]}
                  onChoose={setChosen}
                />
              </ToolbarItem>
            ) : null}
            {shownTexts}
          </ToolbarGroup>
        </ToolbarToggleGroup>
        {children}
      </ToolbarContent>
    </Toolbar>
  )
}

function takeAway({ several, onChange }: FilterText, label: string): void {
  if (several) several.onChange(several.values.filter((value) => value !== label))
  else onChange('')
}

function SearchBox({ text: { title, placeholder, value, onChange, several } }: { text: FilterText }) {
  return (
    <SearchInput
      aria-label={title}
      placeholder={placeholder}
      value={value}
      onChange={(_, typed) => onChange(typed)}
      onClear={() => onChange('')}
      {...(several
        ? {
            onSearch: () => {
              const label = value.trim()
              if (label === '') return
              if (!several.values.includes(label)) several.onChange([...several.values, label])
              onChange('')
            },
          }
        : {})}
    />
  )
}

function GroupFilter({ group: { title, options, chosen, onChange } }: { group: FilterGroup }) {
  const labelOf = (value: string): string => options.find((option) => option.value === value)?.label ?? value
  return (
    <ToolbarFilter
      categoryName={title}
      labels={chosen.map((value) => ({ key: value, node: labelOf(value) }))}
      deleteLabel={(_, label) =>
        onChange(chosen.filter((value) => value !== (typeof label === 'string' ? label : label.key)))
      }
      deleteLabelGroup={() => onChange([])}
    >
      <Choice
        label={`Filter by ${title.toLowerCase()}`}
        text={title}
        several
        options={options}
        chosen={chosen}
        onChoose={(value) =>
          onChange(chosen.includes(value) ? chosen.filter((each) => each !== value) : [...chosen, value])
        }
      />
    </ToolbarFilter>
  )
}

interface ChoiceProps {
  label: string
  text: string
  several?: boolean
  options: readonly { value: string; label: string }[]
  chosen: readonly string[]
  onChoose: (value: string) => void
}

function Choice({ label, text, several = false, options, chosen, onChoose }: ChoiceProps) {
  const [open, setOpen] = useState(false)
  return (
    <Select
      {...(several ? { role: 'menu' } : {})}
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={(_, value) => {
        if (!several) setOpen(false)
        onChoose(String(value))
      }}
      toggle={(ref: Ref<MenuToggleElement>) => (
        <MenuToggle
          ref={ref}
          isExpanded={open}
          onClick={() => setOpen(!open)}
          aria-label={label}
          badge={several && chosen.length > 0 ? <Badge isRead>{chosen.length}</Badge> : undefined}
        >
          {text}
        </MenuToggle>
      )}
    >
      <SelectList aria-label={label}>
        {options.map((option) => (
          <SelectOption
            key={option.value}
            value={option.value}
            hasCheckbox={several}
            isSelected={chosen.includes(option.value)}
          >
            {option.label}
          </SelectOption>
        ))}
      </SelectList>
    </Select>
  )
}
