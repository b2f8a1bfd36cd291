import { Title } from '@patternfly/react-core'
import { receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import type { Receipt } from '@stillpoint/api/snapshot/receipt'
import { exactDuration, exactUtcTime } from '../../model/format.ts'
import { receiptIn } from '../../model/freeze-facts.ts'
import { CopyBlock } from '../../ui/copy-block.tsx'
import { Fact, Facts } from '../../ui/facts.tsx'
import { Empty } from '../../ui/states.tsx'
import { FreezeBar } from '../freeze-bar.tsx'

/** How a snapshot came about, as it was observed and measured. */
export function ReceiptTab({ snapshot }: { snapshot: VirtualMachineSnapshot }) {
  const receipt = receiptIn(snapshot)
  if (receipt === undefined)
    return (
      <>
        <Title headingLevel="h2">Receipt</Title>
        <Empty title="No receipt" level="h3">
          {snapshot.metadata.annotations?.[receiptAnnotation] === undefined
            ? 'It is written when the snapshot has ended. Snapshots of other controllers have none.'
            : 'The one it carries is of another snapshot, or cannot be read.'}
        </Empty>
      </>
    )
  const { outcome, reason, requested, achieved, guest, attempts, agent, volumes, skewMs } = receipt
  return (
    <div className="console-sections">
      <Title headingLevel="h2">Receipt</Title>
      <FreezeBar receipt={receipt} />
      <Facts data-test="receipt">
        <Fact title="Outcome">
          {outcome}
          {reason === undefined ? null : <div>{reason}</div>}
        </Fact>
        <Fact title="Consistency">
          {requested} asked for, {achieved ?? 'nothing'} achieved
        </Fact>
        <Fact title="Guest">{guest === undefined ? undefined : guests[guest]}</Fact>
        <Fact title="Frozen until the last cut">{heldText(receipt)}</Fact>
        <Fact title="Attempts">{attempts}</Fact>
        <Fact title="Skew">{skewMs === undefined ? undefined : exactDuration(skewMs)}</Fact>
        <Fact title="Guest OS">{agent?.guestOS}</Fact>
        <Fact title="Answers of the agent">
          {agent === undefined ? undefined : <Answers answers={agent.answers} />}
        </Fact>
        <Fact title="Disks">
          <ul className="console-plain-list">
            {volumes.map(({ name, cut, precisionMs }) => (
              <li key={name}>
                <strong>{name}</strong> {cut === undefined ? 'was not cut' : `cut ${exactUtcTime(cut)}`}
                {precisionMs === undefined ? '' : `, to ${exactDuration(precisionMs)}`}
              </li>
            ))}
          </ul>
        </Fact>
      </Facts>
      <Title headingLevel="h3">As JSON</Title>
      <CopyBlock text={JSON.stringify(receipt, undefined, 2)} what="the receipt" data-test="receipt-json" />
    </div>
  )
}

const guests: Record<NonNullable<Receipt['guest']>, string> = {
  offline: 'It was off',
  'no-agent': 'It ran, without an agent that answers',
  paused: 'It was paused',
  unused: 'It ran; its agent was not to be asked',
  agent: 'It ran, with an agent',
}

function heldText({ freeze }: Receipt): string | undefined {
  if (freeze?.held === undefined) return undefined
  return freeze.held ? 'Yes' : 'No'
}

type AnswerList = NonNullable<Receipt['agent']>['answers']

function Answers({ answers }: { answers: AnswerList }) {
  return (
    <ol className="console-plain-list">
      {answers.map(({ command, at, answer }) => (
        <li key={`${command} ${at}`}>
          {exactUtcTime(at)} <strong>{command}</strong>: {answer}
        </li>
      ))}
    </ol>
  )
}
