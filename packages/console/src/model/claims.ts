import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type { DataVolume } from '@stillpoint/api/storage/cdi'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { bytes } from './format.ts'
import type { Tone } from './snapshot-status.ts'

/** The size of a claim's volume; of one without a volume, what it asks for. Undefined when it does not say. */
export function claimSize({ spec, status }: PersistentVolumeClaim): string | undefined {
  return sizeText(status?.capacity?.storage ?? spec?.resources?.requests?.storage)
}

/** `10 GiB` of `10Gi`; the text itself when it is no size. */
export function sizeText(quantity: string | number | undefined): string | undefined {
  if (quantity === undefined) return undefined
  const count = parseQuantity(String(quantity))
  return count === undefined ? String(quantity) : bytes(count)
}

export interface ShownClaim {
  label: string
  tone: Tone
  running: boolean
  detail?: string | undefined
}

/** Where a claim stands, and its DataVolume while that fills it. */
export function claimState(claim: PersistentVolumeClaim | undefined, dataVolume: DataVolume | undefined): ShownClaim {
  if ((claim ?? dataVolume)?.metadata.deletionTimestamp !== undefined)
    return { label: 'Deleting', tone: 'info', running: true }
  const filling = dataVolume?.status?.phase
  if (filling === 'Failed') return { label: 'Failed', tone: 'danger', running: false, detail: whyNotFilled(dataVolume) }
  if (filling !== undefined && filling !== 'Succeeded') {
    const progress = dataVolume?.status?.progress
    const label = progress && progress !== 'N/A' ? `${filling} (${progress})` : filling
    return { label, tone: 'info', running: true, detail: whyNotFilled(dataVolume) }
  }
  const phase = claim?.status?.phase
  if (claim === undefined)
    return { label: 'Missing', tone: 'danger', running: false, detail: 'There is no claim of this name.' }
  if (phase === 'Bound') return { label: 'Bound', tone: 'success', running: false }
  if (phase === 'Lost')
    return { label: 'Lost', tone: 'danger', running: false, detail: 'Its volume does not exist any more.' }
  return { label: 'Pending', tone: 'info', running: true }
}

function whyNotFilled(dataVolume: DataVolume | undefined): string | undefined {
  const told = dataVolume?.status?.conditions?.find(({ status, message }) => status !== 'True' && message)
  return told?.message
}
