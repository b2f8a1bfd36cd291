import {
  BanIcon,
  CheckCircleIcon,
  CircleIcon,
  ExclamationCircleIcon,
  ExclamationTriangleIcon,
  InProgressIcon,
  PowerOffIcon,
} from '@patternfly/react-icons'
import type { ComponentType } from 'react'
import { consistencyShown } from '../model/consistency.ts'
import { relativeTime } from '../model/format.ts'
import { originOf, originText } from '../model/snapshot-origin.ts'
import { snapshotStatus, type Tone } from '../model/snapshot-status.ts'
import type { Point } from '../model/timeline.ts'

export interface Mark {
  tone: Tone
  /** One shape for each kind of point, so that colour is never needed to tell them apart. */
  Icon: ComponentType
  /** What it is, in a few words. */
  words: string
  /** Everything the mark stands for, for those who cannot see it. */
  label: string
}

/** How a point of the timeline or the tree looks and reads. */
export function markOf({ snapshot, name, timeMs }: Point, now: Date): Mark {
  const status = snapshotStatus(snapshot, now)
  const consistency = consistencyShown(snapshot)
  const succeeded = status.tone === 'success'
  const words = succeeded ? consistency.label : status.label
  const tone = succeeded ? consistency.tone : status.tone
  const origin = originOf(snapshot)
  const parts = [words, ...(origin === undefined ? [] : [originText(origin)]), relativeTime(new Date(timeMs), now)]
  const label = `${name}: ${parts.join(', ')}`
  return { tone, Icon: iconOf(status.phase, succeeded, consistency.label), words, label }
}

function iconOf(phase: string, succeeded: boolean, consistency: string): ComponentType {
  if (phase === 'Failed') return ExclamationCircleIcon
  if (phase === 'Deleting') return BanIcon
  if (!succeeded) return phase === 'InProgress' || phase === 'Pending' ? InProgressIcon : ExclamationTriangleIcon
  switch (consistency) {
    case 'Application-consistent':
      return CheckCircleIcon
    case 'Offline':
      return PowerOffIcon
    case 'Incomplete':
      return ExclamationTriangleIcon
    default:
      return CircleIcon
  }
}
