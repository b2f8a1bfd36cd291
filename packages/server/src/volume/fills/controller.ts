import { keyOf, uidOf } from '@stillpoint/api/meta/object-meta'
import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { Controller } from '../../controller/controller.ts'
import { describeError } from '../../controller/describe-error.ts'
import type { Area } from '../area.ts'
import {
  podPhaseAnnotation,
  podReadyAnnotation,
  podRestartsAnnotation,
  progressAnnotation,
  runningConditionAnnotation,
  runningMessageAnnotation,
  runningReasonAnnotation,
} from '../keys.ts'
import { recordedOn } from '../provisioning-record.ts'
import { RefusedError } from './fill-error.ts'
import { fillOf } from './fill-request.ts'
import type { Filler } from './filler.ts'
import { type Observed, plan, type Step } from './plan.ts'

const firstRetryMs = 1_000
const longestRetryMs = 300_000

/** Claims that ask for content → volumes with that content. What it does is told by annotations of the claim, as CDI does. */
export function fillController(area: Area, filler: Filler): Controller {
  const { inventory, events, log, now } = area
  let swept: Promise<void> | undefined

  /** When a failed fill is tried again. Not worth keeping: a restarted server tries at once. */
  const retryAt = new Map<string, number>()

  const reconcile = async (key: string): Promise<{ requeueAfterMs: number } | undefined> => {
    await area.ready()
    swept ??= filler.sweep().catch((error) => {
      swept = undefined
      throw error
    })
    await swept
    const claim = inventory.claims.get(key)
    if (!claim || filler.isBusy(claim)) return
    const step = plan(observe(claim))
    if (step.do === 'nothing') return
    const leftMs = (retryAt.get(uidOf(claim)) ?? 0) - now().getTime()
    if (leftMs > 0) return { requeueAfterMs: leftMs }
    log.info({ claim: key, step: step.do }, 'planned')
    if (step.do !== 'offer-upload') return fill(claim, step)
    await filler.annotate(claim, { [podPhaseAnnotation]: 'Running', [podReadyAnnotation]: 'true', ...running })
  }

  const fill = async (
    claim: PersistentVolumeClaim,
    step: Extract<Step, { do: 'import' | 'make-blank' }>,
  ): Promise<{ requeueAfterMs: number } | undefined> => {
    try {
      if (step.do === 'make-blank') {
        await filler.makeBlank(claim)
        return
      }
      await filler.annotate(claim, {
        [podPhaseAnnotation]: 'Running',
        [podReadyAnnotation]: 'true',
        [progressAnnotation]: '0.00%',
        ...running,
      })
      await filler.import(claim, step.request)
      retryAt.delete(uidOf(claim))
    } catch (error) {
      // Gone, or going: nobody is left to tell.
      const current = inventory.claims.get(keyOf(claim))
      if (current?.metadata.uid !== claim.metadata.uid || current?.metadata.deletionTimestamp !== undefined) return
      const message = describeError(error)
      const refused = error instanceof RefusedError
      events.event(claim, 'Warning', 'ImportFailed', message)
      log.warn({ claim: keyOf(claim), refused, error: message }, 'fill failed')
      const restarts = Number.parseInt(current?.metadata.annotations?.[podRestartsAnnotation] ?? '0', 10) || 0
      const retryMs = Math.min(firstRetryMs * 2 ** Math.min(restarts, 20), longestRetryMs)
      // Before the claim is changed, since that wakes us at once.
      retryAt.set(uidOf(claim), now().getTime() + retryMs)
      await filler.annotate(claim, {
        [podPhaseAnnotation]: refused ? 'Failed' : 'Running',
        [podReadyAnnotation]: 'false',
        [podRestartsAnnotation]: `${refused ? restarts : restarts + 1}`,
        [runningConditionAnnotation]: 'false',
        [runningReasonAnnotation]: 'Error',
        [runningMessageAnnotation]: message,
      })
      return refused ? undefined : { requeueAfterMs: retryMs }
    }
  }

  const controller = new Controller({ name: 'volume-fill', reconcile, workers: 3, log, queues: area.queues })
  inventory.claims.onChange(({ object }) => {
    if (fillOf(object)) controller.enqueue(keyOf(object))
  })
  return controller
}

const running = {
  [runningConditionAnnotation]: 'true',
  [runningReasonAnnotation]: 'Running',
  [runningMessageAnnotation]: null,
}

function observe(claim: PersistentVolumeClaim): Observed {
  const { metadata, spec } = claim
  const request = fillOf(claim)
  return {
    ...(request ? { request } : {}),
    recorded: recordedOn(claim) !== undefined,
    deleting: metadata.deletionTimestamp !== undefined,
    bound: !!spec?.volumeName,
    uploadOffered: metadata.annotations?.[podReadyAnnotation] === 'true',
  }
}
