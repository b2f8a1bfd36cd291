import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import { EllipsisVIcon } from '@patternfly/react-icons'
import { Fragment, useRef, useState } from 'react'

export interface MenuAction {
  id: string
  label: string
  description?: string | undefined
  /** Why it cannot be done now. It stays focusable, and says so. */
  disabledReason?: string | undefined
  isDanger?: boolean
  separated?: boolean
  dataTest?: string
  dataTestAction?: string
  onSelect: () => void
}

interface Props {
  /** As a function: they are asked for when the menu is opened, which long lists want. */
  actions: readonly MenuAction[] | (() => readonly MenuAction[])
  label: string
  id?: string
  dataTest?: string
  /** Text on the toggle; without it, the three dots. */
  text?: string
  /** Of a toggle with a text. */
  variant?: 'primary' | 'secondary'
}

/** A menu of actions: three dots in a row, or a button with a text on a page. */
export function ActionsMenu({ actions, label, id, dataTest = 'kebab-button', text, variant = 'primary' }: Props) {
  const [open, setOpen] = useState(false)
  const toggle = useRef<HTMLButtonElement>(null)
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'right', appendTo: () => document.body }}
      toggle={{
        toggleRef: toggle,
        toggleNode: (
          <MenuToggle
            ref={toggle}
            {...(id === undefined ? {} : { id })}
            data-test={dataTest}
            aria-label={text === undefined ? label : undefined}
            variant={text === undefined ? 'plain' : variant}
            isExpanded={open}
            onClick={() => setOpen(!open)}
            {...(text === undefined ? { icon: <EllipsisVIcon /> } : {})}
          >
            {text}
          </MenuToggle>
        ),
      }}
    >
      <DropdownList>
        {(typeof actions === 'function' ? (open ? actions() : []) : actions).map((action) => (
          <Fragment key={action.id}>
            {action.separated ? <Divider component="li" /> : null}
            <DropdownItem
              value={action.id}
              data-test={action.dataTest ?? action.id}
              data-test-action={action.dataTestAction}
              isAriaDisabled={action.disabledReason !== undefined}
              isDanger={action.isDanger ?? false}
              description={action.disabledReason ?? action.description}
              onClick={() => {
                setOpen(false)
                // The item goes away; a dialog gives the focus back to what had it when it was opened.
                toggle.current?.focus()
                action.onSelect()
              }}
            >
              {action.label}
            </DropdownItem>
          </Fragment>
        ))}
      </DropdownList>
    </Dropdown>
  )
}
