import { ActionList, ActionListGroup, ActionListItem, Button, Tooltip } from '@patternfly/react-core'
import { OffIcon, PauseIcon, PlayIcon, RedoIcon } from '@patternfly/react-icons'
import type { ComponentType } from 'react'
import type { MenuAction } from '../ui/row-menu.tsx'

const icons: Record<string, ComponentType> = {
  start: PlayIcon,
  stop: OffIcon,
  restart: RedoIcon,
  pause: PauseIcon,
  unpause: PlayIcon,
}

/** What is done most often, as icons with their names, and the reason where one cannot be used now. */
export function PowerIcons({ actions }: { actions: readonly MenuAction[] }) {
  return (
    <ActionList isIconList data-test="vm-power-icons">
      <ActionListGroup>
        {actions.map(({ id, label, disabledReason, onSelect }) => {
          const Glyph = icons[id]
          return (
            <ActionListItem key={id}>
              <Tooltip content={disabledReason === undefined ? label : `${label}: ${disabledReason}`}>
                <Button
                  variant="plain"
                  aria-label={label}
                  isAriaDisabled={disabledReason !== undefined}
                  onClick={onSelect}
                  icon={Glyph ? <Glyph /> : null}
                />
              </Tooltip>
            </ActionListItem>
          )
        })}
      </ActionListGroup>
    </ActionList>
  )
}
