import { ToggleGroup, ToggleGroupItem } from '@patternfly/react-core'
import { type VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { lazy, type ReactNode, Suspense } from 'react'
import { useSearchParams } from 'react-router'
import { useAllowed } from '../../kube/rights.ts'
import { useObject } from '../../kube/use-objects.ts'
import { type ConsoleKind, consolesOf } from '../../model/guest-consoles.ts'
import { Empty, Forbidden, Loading } from '../../ui/states.tsx'

// Terminal and display are heavy, and loaded when they are looked at.
const SerialTerminal = lazy(() => import('./serial-terminal.tsx'))
const VncScreen = lazy(() => import('./vnc-screen.tsx'))

const labels: Record<ConsoleKind, string> = { console: 'Serial console', vnc: 'Display (VNC)' }

/** The ways to sit before a running guest. `start` is shown while there is none. */
export function ConsoleTab({ vm, start }: { vm: VirtualMachine; start: ReactNode }) {
  const { namespace = '', name } = vm.metadata
  const [search, setSearch] = useSearchParams()
  const { status, object: instance } = useObject(VirtualMachineInstance, namespace, name)
  const kinds = consolesOf(instance?.spec ?? vm.spec.template.spec)
  const kind = kinds.find((each) => each === search.get('console')) ?? kinds[0]
  const { allowed, reason } = useAllowed(
    kind && {
      verb: 'get',
      group: 'subresources.kubevirt.io',
      resource: 'virtualmachineinstances',
      subresource: kind,
      namespace,
    },
  )
  if (status === 'loading') return <Loading what="the console" />
  if (instance?.status?.phase !== 'Running')
    return (
      <Empty title="The VirtualMachine is not running" level="h2" action={start}>
        {phaseWords(instance)} The console appears by itself when it runs.
      </Empty>
    )
  if (kind === undefined)
    return (
      <Empty title="The VirtualMachine has no console" level="h2">
        Its definition switches off both autoattachSerialConsole and autoattachGraphicsDevice.
      </Empty>
    )
  if (allowed === false) return <Forbidden what="the console" error={new Error(reason)} />
  const Screen = kind === 'vnc' ? VncScreen : SerialTerminal
  return (
    <>
      {kinds.length > 1 ? (
        <ToggleGroup aria-label="Which console" style={{ marginBlockEnd: 'var(--pf-t--global--spacer--md)' }}>
          {kinds.map((each) => (
            <ToggleGroupItem
              key={each}
              buttonId={`console-${each}`}
              text={labels[each]}
              isSelected={each === kind}
              onChange={() => setSearch({ console: each }, { replace: true })}
            />
          ))}
        </ToggleGroup>
      ) : null}
      <Suspense fallback={<Loading what="the console" />}>
        {/* A restart is another instance: its console begins anew. */}
        <Screen key={instance.metadata.uid ?? name} namespace={namespace} name={name} />
      </Suspense>
    </>
  )
}

function phaseWords(instance: VirtualMachineInstance | undefined): string {
  const phase = instance?.status?.phase
  return phase === undefined || phase === '' ? '' : `Its instance is in the phase ${phase}.`
}
