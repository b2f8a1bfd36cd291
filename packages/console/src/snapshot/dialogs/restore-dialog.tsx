import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { VirtualMachineRestore, type VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { useEffect, useRef, useState } from 'react'
import { create } from '../../kube/client.ts'
import { useObjects } from '../../kube/use-objects.ts'
import { commandsFor } from '../../model/commands.ts'
import { cloneNameFor, whyNotName } from '../../model/names.ts'
import { claimInTheWay, restoreChecks, whyNotYet } from '../../model/restore-checks.ts'
import { planRestore, type RestorePlan, restoreText } from '../../model/restore-plan.ts'
import { ActionDialog } from '../../ui/action-dialog.tsx'
import { correctIt } from '../../ui/text-field.tsx'
import { followRestore } from '../follow-restore.tsx'
import { CheckList } from './check-list.tsx'
import { KeepingProgress, keepPresentState } from './keep-present-state.tsx'
import { ConfigurationChanges, PointText, RestoreEffectText } from './restore-effect-text.tsx'
import { AdvancedOptions, isOn, KeepCurrent, ModeChoice, PowerPlan, type RestoreOptions } from './restore-options.tsx'
import { useRestoreFacts, useRestoreRights } from './use-restore-facts.ts'

interface Props {
  snapshot: VirtualMachineSnapshot
  onClose: () => void
}

/** Brings a VM back to a snapshot, or makes a new one from it; says beforehand what that replaces. */
export function RestoreDialog({ snapshot: given, onClose }: Props) {
  const { namespace } = given.metadata
  const facts = useRestoreFacts(given)
  const { vm, snapshot = given } = facts
  const gone = vm === undefined && facts.vmUnknown === undefined
  const content = facts.content.is === 'known' ? facts.content.value : undefined
  const names = useObjects(VirtualMachine, namespace).items.map(({ metadata }) => metadata.name)
  const [options, setOptions] = useState<RestoreOptions>({
    mode: 'replace',
    newName: cloneNameFor(given),
    stop: true,
    startAfter: undefined,
    keepCurrent: true,
    naming: undefined,
  })
  const change = (part: Partial<RestoreOptions>): void => setOptions((known) => ({ ...known, ...part }))
  // One moment for all that is said, so that the names on the screen are those that are made.
  const [now, setNow] = useState(() => new Date())
  const [before, setBefore] = useState<VirtualMachineSnapshot>()
  const work = useRef<AbortController>(undefined)
  useEffect(() => () => work.current?.abort(), [])

  const { mode, newName, stop, keepCurrent } = options
  const startAfter = options.startAfter ?? (mode === 'replace' && vm !== undefined && isOn(vm))
  const inTheWay = claimInTheWay(facts)
  // Claims of others, or that outlived their VM, are not replaced in place.
  const namesFree = mode === 'replace' && vm !== undefined && inTheWay === undefined
  const naming = options.naming ?? (namesFree ? 'InPlace' : 'PrefixTargetName')
  const newNameProblem = mode === 'new' ? whyNotName(newName, new Set(names)) : undefined
  const keeps = keepCurrent && mode === 'replace' && vm !== undefined
  const rights = useRestoreRights(namespace, keeps)
  const checks = restoreChecks({ ...facts, mode, naming, newName, newNameProblem, rights })
  const text = restoreText(vm, snapshot, now)
  const plan = planRestore({ vm, snapshot, now, stop, startAfter, keepCurrent, mode, newName, naming, content })

  const restore = async (): Promise<void> => {
    const ended = new AbortController()
    work.current = ended
    try {
      if (plan.before !== undefined) {
        // What the server refuses is refused before a snapshot is taken for nothing.
        await create(VirtualMachineRestore, plan.restore, { dryRun: 'All' })
        await keepPresentState(plan.before, setBefore, ended.signal)
      }
      void followRestore(await create(VirtualMachineRestore, plan.restore))
      onClose()
    } finally {
      setBefore(undefined)
      setNow(new Date())
    }
  }
  return (
    <ActionDialog
      title="Restore snapshot"
      submitLabel="Restore"
      onSubmit={restore}
      onClose={onClose}
      closesWhileBusy
      progress={before === undefined ? undefined : <KeepingProgress before={before} />}
      command={commandOf(plan)}
      focus='#tab-modal [data-test="cancel-button"]'
      disabledReason={facts.vmUnknown ?? (newNameProblem === undefined ? whyNotYet(checks) : correctIt)}
    >
      <p>
        {mode === 'new' ? 'Make' : 'Restore'} <strong>{mode === 'new' ? newName : given.spec.source.name}</strong> from
        the snapshot <PointText snapshot={snapshot} />?
      </p>
      <ModeChoice
        options={options}
        onChange={change}
        name={given.spec.source.name}
        gone={gone}
        problem={newNameProblem}
      />
      {mode === 'replace' && (vm !== undefined || gone) ? (
        <RestoreEffectText vm={vm} snapshot={snapshot} content={content} now={now} />
      ) : null}
      {mode === 'replace' && vm !== undefined && content !== undefined ? (
        <ConfigurationChanges vm={vm} content={content} />
      ) : null}
      <PowerPlan options={options} onChange={change} vm={vm} startAfter={startAfter} />
      {mode === 'replace' && vm !== undefined ? (
        <KeepCurrent options={options} onChange={change} text={keepCurrent ? text.kept : text.notKept} />
      ) : null}
      <AdvancedOptions
        options={options}
        onChange={change}
        naming={naming}
        hint={
          options.naming === undefined && mode === 'replace' && inTheWay !== undefined
            ? `Their names cannot be kept: the claim ${inTheWay} is no disk of the VirtualMachine.`
            : undefined
        }
      />
      {before === undefined ? <CheckList checks={checks} label="Checks" /> : null}
    </ActionDialog>
  )
}

function commandOf({ before, restore }: RestorePlan): string {
  const keep = before && [
    { do: 'create', object: before } as const,
    { do: 'wait', object: before, condition: 'Ready', timeout: '5m' } as const,
  ]
  return commandsFor([...(keep ?? []), { do: 'create', object: restore }])
}
