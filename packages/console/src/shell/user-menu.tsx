import {
  Divider,
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  MenuToggle,
  type MenuToggleElement,
} from '@patternfly/react-core'
import { UserIcon } from '@patternfly/react-icons'
import { type Ref, useState } from 'react'
import { type Session, signOut } from '../kube/session.ts'
import { setTheme, storedTheme, type Theme } from './theme.ts'

const themes: { theme: Theme; label: string }[] = [
  { theme: 'system', label: 'As the system' },
  { theme: 'light', label: 'Light' },
  { theme: 'dark', label: 'Dark' },
]

export function UserMenu({ session }: { session: Session }) {
  const [open, setOpen] = useState(false)
  const [theme, choose] = useState(storedTheme())
  const { username, groups = [] } = session.user
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      popperProps={{ position: 'right' }}
      toggle={(ref: Ref<MenuToggleElement>) => (
        <MenuToggle
          ref={ref}
          aria-label={`User ${username}`}
          icon={<UserIcon />}
          isExpanded={open}
          onClick={() => setOpen(!open)}
          data-test="user-menu"
        >
          <span className="console-wide">{username}</span>
        </MenuToggle>
      )}
    >
      <DropdownGroup label="Theme">
        <DropdownList>
          {themes.map((each) => (
            <DropdownItem
              key={each.theme}
              isSelected={theme === each.theme}
              onClick={() => {
                setTheme(each.theme)
                choose(each.theme)
              }}
            >
              {each.label}
            </DropdownItem>
          ))}
        </DropdownList>
      </DropdownGroup>
      <Divider />
      <DropdownList>
        <DropdownItem data-test="sign-out" description={groups.join(', ')} onClick={() => void signOut()}>
          Sign out
        </DropdownItem>
      </DropdownList>
    </Dropdown>
  )
}
