import { List, ListItem, Spinner } from '@patternfly/react-core'
import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { useEffect, useRef } from 'react'
import { describeError } from '../../model/describe-error.ts'
import { ToneIcon } from '../../ui/tone.tsx'

/** What came of the snapshot of one VM. */
export type Result = { state: 'asked' } | { state: 'created'; name: string } | { state: 'failed'; error: unknown }

interface Props {
  vms: readonly VirtualMachine[]
  resultOf: (vm: VirtualMachine) => Result | undefined
}

/** What came of each VM's snapshot so far. */
export function BulkResults({ vms, resultOf }: Props) {
  const section = useRef<HTMLElement>(null)
  // They are why the dialog is still open.
  useEffect(() => {
    section.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  return (
    <section ref={section} aria-label="Results" aria-live="polite" data-test="bulk-results">
      <List isPlain>
        {vms.map((vm) => (
          <ListItem key={`${vm.metadata.namespace}/${vm.metadata.name}`}>
            <ResultLine name={vm.metadata.name} result={resultOf(vm)} />
          </ListItem>
        ))}
      </List>
    </section>
  )
}

function ResultLine({ name, result }: { name: string; result: Result | undefined }) {
  const vm = <strong>{name}</strong>
  switch (result?.state) {
    case undefined:
      return vm
    case 'asked':
      return (
        <>
          <Spinner isInline aria-label="Being asked for" /> {vm}
        </>
      )
    case 'created':
      return (
        <>
          <ToneIcon tone="success" /> {vm} – created as {result.name}
        </>
      )
    case 'failed': {
      const { title, detail, remedy = '' } = describeError(result.error)
      return (
        <>
          <ToneIcon tone="danger" /> {vm} – failed: {title}: {detail} {remedy}
        </>
      )
    }
    default:
      return result satisfies never
  }
}
