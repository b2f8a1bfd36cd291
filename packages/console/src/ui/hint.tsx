import { Tooltip } from '@patternfly/react-core'
import { type ReactNode, useRef, useState } from 'react'

interface Props {
  /** What is said of the children when they are pointed at or focused. */
  content: ReactNode
  children: ReactNode
}

/**
 * Something with a tooltip, which the keyboard reaches too. A list has hundreds of them, and a tooltip is a costly
 * thing: it is made when it is first wanted.
 */
export function Hint({ content, children }: Props) {
  const trigger = useRef<HTMLSpanElement>(null)
  const [wanted, setWanted] = useState(false)
  const want = (): void => setWanted(true)
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the tooltip must be reachable by keyboard */}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: it does nothing but say more of itself */}
      <span ref={trigger} className="console-hint" tabIndex={0} onMouseEnter={want} onFocus={want}>
        {children}
      </span>
      {wanted ? (
        <Tooltip triggerRef={trigger} content={content} isVisible onTooltipHidden={() => setWanted(false)} />
      ) : null}
    </>
  )
}
