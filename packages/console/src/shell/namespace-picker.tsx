import {
  Divider,
  MenuSearch,
  MenuSearchInput,
  MenuToggle,
  type MenuToggleElement,
  SearchInput,
  Select,
  SelectList,
  SelectOption,
} from '@patternfly/react-core'
import { Namespace } from '@stillpoint/api/core/namespace'
import { type Ref, useState } from 'react'
import { useObjects } from '../kube/use-objects.ts'

interface Props {
  /** Undefined: all. */
  namespace: string | undefined
  onChange: (namespace: string | undefined) => void
}

const all = '#all'

/** Chooses a namespace: from the list, or by typing where the list may not be read. */
export function NamespacePicker({ namespace, onChange }: Props) {
  const [open, setOpen] = useState(false)
  const [text, setText] = useState('')
  const { items, status } = useObjects(Namespace)
  const names = items.map(({ metadata }) => metadata.name).filter((name) => name.includes(text))
  const choose = (value: string): void => {
    setOpen(false)
    setText('')
    onChange(value === all ? undefined : value)
  }
  return (
    <Select
      isOpen={open}
      onOpenChange={setOpen}
      selected={namespace ?? all}
      onSelect={(_, value) => choose(String(value))}
      isScrollable
      toggle={(ref: Ref<MenuToggleElement>) => (
        <MenuToggle ref={ref} onClick={() => setOpen(!open)} isExpanded={open} data-test="namespace-picker">
          <span className="console-subtle console-wide">Namespace: </span>
          {namespace ?? 'All namespaces'}
        </MenuToggle>
      )}
    >
      <MenuSearch>
        <MenuSearchInput>
          <SearchInput
            aria-label="Find a namespace, or type its name"
            placeholder={status === 'forbidden' ? 'Type a namespace, then Enter' : 'Find a namespace'}
            value={text}
            onChange={(_, value) => setText(value)}
            onClear={() => setText('')}
            onSearch={(_, value) => {
              const exact = names.find((name) => name === value) ?? (names.length === 1 ? names[0] : value)
              if (exact) choose(exact)
            }}
          />
        </MenuSearchInput>
      </MenuSearch>
      <Divider />
      <SelectList>
        <SelectOption value={all}>All namespaces</SelectOption>
        {names.map((name) => (
          <SelectOption key={name} value={name}>
            {name}
          </SelectOption>
        ))}
        {status === 'forbidden' ? (
          <SelectOption value="#none" isAriaDisabled description="Type the name of one you may use above.">
            You may not list namespaces
          </SelectOption>
        ) : null}
      </SelectList>
    </Select>
  )
}
