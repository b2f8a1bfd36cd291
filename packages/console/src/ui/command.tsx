import { ExpandableSection } from '@patternfly/react-core'
import { useEffect, useRef, useState } from 'react'
import { CopyBlock } from './copy-block.tsx'

/** The same done by command line, on request. */
export function Command({ text }: { text: string }) {
  const [open, setOpen] = useState(false)
  const block = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // At the end of a dialog it would open below what is seen.
    if (open) block.current?.scrollIntoView({ block: 'nearest' })
  }, [open])
  return (
    <ExpandableSection
      toggleText={open ? 'Hide the command' : 'Show the command'}
      isExpanded={open}
      onToggle={(_, expanded) => setOpen(expanded)}
      data-test="command"
    >
      <div ref={block}>
        <CopyBlock text={text} what="the command" data-test="command-text" />
      </div>
    </ExpandableSection>
  )
}
