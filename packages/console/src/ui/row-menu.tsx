import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import { EllipsisVIcon } from '@patternfly/react-icons'
import { Fragment, type RefObject, useEffect, useRef, useState } from 'react'

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
  const toggle = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  /** The menu itself is made when it is about to be wanted: a list has hundreds of these. */
  const [near, setNear] = useState(false)
  const come = (): void => setNear(true)
  return (
    <>
      <MenuToggle
        ref={toggle}
        {...(id === undefined ? {} : { id })}
        data-test={dataTest}
        aria-label={text === undefined ? label : undefined}
        variant={text === undefined ? 'plain' : variant}
        isExpanded={open}
        onMouseEnter={come}
        onFocus={come}
        onClick={() => {
          come()
          setOpen(!open)
        }}
        {...(text === undefined ? { icon: <EllipsisVIcon set="default" /> } : {})}
      >
        {text}
      </MenuToggle>
      {near ? <Menu actions={actions} toggle={toggle} open={open} setOpen={setOpen} /> : null}
    </>
  )
}

interface MenuProps extends Pick<Props, 'actions'> {
  toggle: RefObject<HTMLButtonElement>
  open: boolean
  setOpen: (open: boolean) => void
}

function Menu({ actions, toggle, open, setOpen }: MenuProps) {
  const [there, setThere] = useState(false)
  // Only a menu that is there already finds its place when it opens.
  useEffect(() => setThere(true), [])
  return (
    <Dropdown
      isOpen={open && there}
      onOpenChange={setOpen}
      popperProps={{ position: 'right', appendTo: () => document.body }}
      toggle={{ toggleNode: null, toggleRef: toggle }}
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
