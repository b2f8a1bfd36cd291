import '@xterm/xterm/css/xterm.css'
import { Button, Flex, FlexItem } from '@patternfly/react-core'
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { useEffect, useId, useRef, useState } from 'react'
import { actionPath, socketUrl } from '../../kube/client.ts'
import { showError } from '../../ui/toasts.tsx'
import { ConnectionLine } from './connection-line.tsx'
import { GuestSocket, type SocketState } from './guest-socket.ts'
import { isLeaveKey, leaveHint } from './leave-key.ts'

interface Props {
  namespace: string
  name: string
}

interface Line {
  terminal: Terminal
  socket: GuestSocket
}

/** The serial console of a guest. Mounted anew for each instance: what an older one said is not its own. */
export default function SerialTerminal({ namespace, name }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const after = useRef<HTMLButtonElement>(null)
  const hintId = useId()
  const [line, setLine] = useState<Line>()
  const [state, setState] = useState<SocketState>({ kind: 'connecting' })
  const [selected, setSelected] = useState(false)

  useEffect(() => {
    const element = place.current
    if (!element) return
    const terminal = new Terminal({ convertEol: false, cursorBlink: true, scrollback: 10_000, screenReaderMode: true })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    terminal.open(element)
    terminal.textarea?.setAttribute('aria-label', `Serial console of ${name}`)
    terminal.textarea?.setAttribute('aria-describedby', hintId)
    fit.fit()
    const path = actionPath('virtualmachineinstances', namespace, name, 'console')
    const socket = new GuestSocket({
      // What was said before is on the screen already when the line comes back.
      url: ({ again }) => socketUrl(again ? `${path}?tailBytes=0` : path),
      onData: (bytes) => terminal.write(bytes),
      onState: setState,
    })
    const encoder = new TextEncoder()
    terminal.onData((text) => socket.send(encoder.encode(text)))
    terminal.onBinary((text) => socket.send(Uint8Array.from(text, (each) => each.charCodeAt(0))))
    terminal.onSelectionChange(() => setSelected(terminal.hasSelection()))
    terminal.attachCustomKeyEventHandler((event) => {
      if (isLeaveKey(event)) {
        if (event.type === 'keydown') after.current?.focus()
        return false
      }
      const copies = event.ctrlKey && event.shiftKey && event.code === 'KeyC' && terminal.hasSelection()
      if (!copies) return true
      if (event.type === 'keydown') {
        event.preventDefault()
        copy(terminal.getSelection())
      }
      return false
    })
    const resized = new ResizeObserver(() => fit.fit())
    resized.observe(element)
    setLine({ terminal, socket })
    terminal.focus()
    return () => {
      resized.disconnect()
      socket.close()
      terminal.dispose()
    }
  }, [namespace, name, hintId])

  return (
    <>
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        alignItems={{ default: 'alignItemsCenter' }}
        className="console-bar"
      >
        <FlexItem>
          <ConnectionLine state={state} onConnect={() => line?.socket.connect()} />
        </FlexItem>
        <FlexItem>
          <Button
            ref={after}
            variant="secondary"
            size="sm"
            isAriaDisabled={!selected}
            onClick={() => line && copy(line.terminal.getSelection())}
          >
            Copy selection
          </Button>{' '}
          <Button variant="secondary" size="sm" onClick={() => line && paste(line.terminal)}>
            Paste
          </Button>
        </FlexItem>
      </Flex>
      <p id={hintId} className="console-subtle">
        {leaveHint} Select text, then Ctrl-Shift-C copies it; Ctrl-Shift-V pastes.
      </p>
      <div ref={place} className="console-terminal" data-test="serial-console" />
    </>
  )
}

function copy(text: string): void {
  navigator.clipboard.writeText(text).catch((error: unknown) => showError('The text was not copied', error))
}

function paste(terminal: Terminal): void {
  navigator.clipboard.readText().then(
    (text) => {
      terminal.paste(text)
      terminal.focus()
    },
    (error: unknown) =>
      showError('The clipboard cannot be read; allow it in the browser, or press Ctrl-Shift-V', error),
  )
}
