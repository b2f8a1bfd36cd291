import { Alert, Button, Content, Flex, FlexItem, List, ListItem } from '@patternfly/react-core'
import { DownloadIcon } from '@patternfly/react-icons'
import { type ReactNode, useId, useRef } from 'react'
import type { Problem } from '../../model/yaml-text.ts'
import { CodeArea, type CodeAreaHandle } from './code-area.tsx'

interface Props {
  label: string
  text: string
  onChange: (text: string) => void
  readOnly?: boolean
  problems: readonly Problem[]
  /** Right of the hint above the editor. */
  tools?: ReactNode
  /** Between the editor and the buttons: what came of saving, what has changed. */
  notices?: ReactNode
  buttons: ReactNode
  /** Below the buttons. */
  footer?: ReactNode
  /** Name of the file of a download. */
  fileName: string
}

/** The editor with everything around it. */
export function YamlFrame({ label, text, onChange, readOnly = false, problems, tools, notices, ...rest }: Props) {
  const hintId = useId()
  const area = useRef<CodeAreaHandle>(null)
  return (
    <>
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        alignItems={{ default: 'alignItemsCenter' }}
        style={{ marginBlockEnd: 'var(--pf-t--global--spacer--sm)' }}
      >
        <FlexItem id={hintId} className="console-subtle">
          {readOnly ? 'Read only. ' : 'Tab indents. Press Escape, then Tab to leave the editor. '}
          Ctrl-F searches.
        </FlexItem>
        <FlexItem>{tools}</FlexItem>
      </Flex>
      <CodeArea
        ref={area}
        label={label}
        describedBy={hintId}
        text={text}
        onChange={onChange}
        readOnly={readOnly}
        problems={problems}
      />
      <div className="yaml-editor__buttons">
        <div aria-live="polite">
          {problems.length > 0 ? (
            <Problems problems={problems} onReveal={(line) => area.current?.reveal(line)} />
          ) : null}
          {notices}
        </div>
        <Flex spaceItems={{ default: 'spaceItemsSm' }}>
          {rest.buttons}
          <FlexItem>
            <Button variant="secondary" icon={<DownloadIcon />} onClick={() => download(rest.fileName, text)}>
              Download
            </Button>
          </FlexItem>
        </Flex>
        {rest.footer}
      </div>
    </>
  )
}

function Problems({ problems, onReveal }: { problems: readonly Problem[]; onReveal: (line: number) => void }) {
  return (
    <Alert isInline variant="danger" title="It was not saved" data-test="yaml-problems">
      <List isPlain>
        {problems.map(({ line, message }) => (
          <ListItem key={`${line} ${message}`}>
            {line === undefined ? null : (
              <>
                <Button variant="link" isInline onClick={() => onReveal(line)}>
                  Line {line}
                </Button>
                {': '}
              </>
            )}
            {message}
          </ListItem>
        ))}
      </List>
      <Content component="p">Nothing is lost: correct it and save again.</Content>
    </Alert>
  )
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/yaml' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  URL.revokeObjectURL(url)
}
