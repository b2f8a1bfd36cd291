import { ClipboardCopyButton, CodeBlock, CodeBlockAction, CodeBlockCode } from '@patternfly/react-core'
import { useId, useState } from 'react'

interface Props {
  text: string
  /** What is copied, in words. */
  what: string
  'data-test': string
}

/** A text to be copied. */
export function CopyBlock({ text, what, 'data-test': dataTest }: Props) {
  const id = useId()
  const [copied, setCopied] = useState(false)
  return (
    <CodeBlock
      actions={
        <CodeBlockAction>
          <ClipboardCopyButton
            id={id}
            aria-label={`Copy ${what}`}
            variant="plain"
            onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
            onTooltipHidden={() => setCopied(false)}
          >
            {copied ? 'Copied' : 'Copy'}
          </ClipboardCopyButton>
        </CodeBlockAction>
      }
    >
      <CodeBlockCode data-test={dataTest}>{text}</CodeBlockCode>
    </CodeBlock>
  )
}
