import {
  ClipboardCopyButton,
  CodeBlock,
  CodeBlockAction,
  CodeBlockCode,
  ExpandableSection,
} from '@patternfly/react-core'
import { useEffect, useRef, useState } from 'react'

/** The same done by command line, on request. */
export function Command({ text }: { text: string }) {
  const [open, setOpen] = useState(false)
  const [copied, setCopied] = useState(false)
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
        <CodeBlock
          actions={
            <CodeBlockAction>
              <ClipboardCopyButton
                id="copy-command"
                aria-label="Copy the command"
                variant="plain"
                onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
                onTooltipHidden={() => setCopied(false)}
              >
                {copied ? 'Copied' : 'Copy'}
              </ClipboardCopyButton>
            </CodeBlockAction>
          }
        >
          <CodeBlockCode data-test="command-text">{text}</CodeBlockCode>
        </CodeBlock>
      </div>
    </ExpandableSection>
  )
}
