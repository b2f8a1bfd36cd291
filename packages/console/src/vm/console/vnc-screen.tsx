import RFB from '@novnc/novnc'
import { Button, Flex, FlexItem, Switch } from '@patternfly/react-core'
import { ExpandIcon } from '@patternfly/react-icons'
import { useEffect, useRef, useState } from 'react'
import { actionPath, socketUrl } from '../../kube/client.ts'
import { showError } from '../../ui/toasts.tsx'
import { ConnectionLine } from './connection-line.tsx'
import { plainProtocol, type SocketState } from './guest-socket.ts'
import { isLeaveKey, leaveHint } from './leave-key.ts'

interface Props {
  namespace: string
  name: string
}

const retryMs = 5_000

/** The display of a guest, with its keyboard and pointer. */
export default function VncScreen({ namespace, name }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const after = useRef<HTMLButtonElement>(null)
  const display = useRef<RFB | undefined>(undefined)
  const [attempt, setAttempt] = useState(0)
  const [state, setState] = useState<SocketState>({ kind: 'connecting' })
  const [scaled, setScaled] = useState(true)
  const initiallyScaled = useRef(scaled)

  // biome-ignore lint/correctness/useExhaustiveDependencies: each attempt connects anew
  useEffect(() => {
    const element = place.current
    if (!element) return
    setState({ kind: 'connecting' })
    const path = actionPath('virtualmachineinstances', namespace, name, 'vnc')
    const rfb = new RFB(element, socketUrl(path), { shared: true, wsProtocols: [plainProtocol] })
    rfb.scaleViewport = initiallyScaled.current
    rfb.background = 'transparent'
    rfb.showDotCursor = true
    let current = true
    let timer: ReturnType<typeof setTimeout> | undefined
    rfb.addEventListener('connect', () => {
      if (!current) return
      setState({ kind: 'connected' })
      rfb.focus({ preventScroll: true })
    })
    rfb.addEventListener('securityfailure', ({ detail }) => {
      if (current) setState({ kind: 'refused', why: detail.reason ?? 'the display asks for a password' })
    })
    rfb.addEventListener('disconnect', ({ detail }) => {
      if (!current) return
      const why = detail.clean ? 'The display was closed.' : 'The server did not accept the connection, or it broke.'
      setState({ kind: 'waiting', why, retryAtMs: Date.now() + retryMs })
      timer = setTimeout(() => setAttempt((count) => count + 1), retryMs)
    })
    display.current = rfb
    return () => {
      current = false
      clearTimeout(timer)
      display.current = undefined
      rfb.disconnect()
    }
  }, [namespace, name, attempt])

  useEffect(() => {
    initiallyScaled.current = scaled
    if (display.current) display.current.scaleViewport = scaled
  }, [scaled])

  // Before the display sees it: it would send the key to the guest and keep the focus.
  useEffect(() => {
    const element = place.current
    if (!element) return
    const leave = (event: KeyboardEvent): void => {
      if (!isLeaveKey(event)) return
      event.preventDefault()
      event.stopPropagation()
      display.current?.blur()
      after.current?.focus()
    }
    element.addEventListener('keydown', leave, true)
    return () => element.removeEventListener('keydown', leave, true)
  }, [])

  const fullScreen = (): void => {
    place.current
      ?.requestFullscreen()
      .then(() => display.current?.focus())
      .catch((error: unknown) => showError('The browser does not show it in full screen', error))
  }

  return (
    <>
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        alignItems={{ default: 'alignItemsCenter' }}
        className="console-bar"
      >
        <FlexItem>
          <ConnectionLine state={state} onConnect={() => setAttempt((count) => count + 1)} />
        </FlexItem>
        <Flex spaceItems={{ default: 'spaceItemsSm' }} alignItems={{ default: 'alignItemsCenter' }}>
          <Switch id="vnc-scale" label="Fit to the page" isChecked={scaled} onChange={(_, on) => setScaled(on)} />
          <Button
            ref={after}
            variant="secondary"
            size="sm"
            isAriaDisabled={state.kind !== 'connected'}
            onClick={() => display.current?.sendCtrlAltDel()}
          >
            Send Ctrl-Alt-Del
          </Button>
          <Button variant="secondary" size="sm" icon={<ExpandIcon />} onClick={fullScreen}>
            Full screen
          </Button>
        </Flex>
      </Flex>
      <p className="console-subtle">{leaveHint}</p>
      <div ref={place} className="console-display" data-test="vnc-console" />
    </>
  )
}
