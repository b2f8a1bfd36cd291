import type { VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import type { VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import { rfc3339 } from '../controller/conditions.ts'

export type ContentStatus = NonNullable<VirtualMachineSnapshotContent['status']>

export interface StatusInput {
  old: ContentStatus | undefined
  /** Names of the VolumeSnapshots the content is made of, in order, and what is there of them. */
  volumes: readonly { name: string; found: VolumeSnapshot | undefined }[]
  /** The snapshot is gone or going. */
  ending: boolean
  /** All are cut and the guest is thawed: the instant to write down, if none is yet. */
  settledAt: Date | undefined
  /** What went wrong with the guest or before the cut. */
  problem: string | undefined
  now: Date
}

/** Status of a content, by the table of spec snapshot-restore (c.8); all volumes count, always. */
export function contentStatusOf({ old, volumes, ending, settledAt, problem, now }: StatusInput): ContentStatus {
  const creationTime = old?.creationTime ?? (settledAt === undefined ? undefined : rfc3339(settledAt))
  const missing = volumes.filter(({ found }) => found === undefined).map(({ name }) => name)
  const ready = missing.length === 0 && volumes.every(({ found }) => found?.status?.readyToUse === true)
  const failing = volumes.find(({ found }) => found?.status?.error?.message !== undefined)
  const volumeError =
    failing === undefined ? undefined : `VolumeSnapshot ${failing.name} error: ${failing.found?.status?.error?.message}`

  let message: string | undefined
  if (missing.length > 0 && creationTime) message = `VolumeSnapshots (${missing.join(',')}) missing`
  else if (missing.length > 0 && ending)
    message = `VolumeSnapshots (${missing.join(',')}) skipped because vm snapshot is deleted`
  else if (ready && volumeError !== undefined) message = old?.error?.message === volumeError ? volumeError : undefined
  else message = volumeError ?? (creationTime ? undefined : problem)

  const status: ContentStatus = {
    ...(creationTime ? { creationTime } : {}),
    readyToUse: volumes.length === 0 ? Boolean(creationTime) : ready && Boolean(creationTime),
    ...(message === undefined ? {} : { error: errorOf(old, message, now) }),
  }
  const statuses = volumes.flatMap(({ name, found }) => (found === undefined ? [] : [volumeStatusOf(name, found)]))
  if (statuses.length > 0) status.volumeSnapshotStatus = statuses
  return status
}

/** The time of an error is when its text last changed, so that the same error is not written again. */
function errorOf(old: ContentStatus | undefined, message: string, now: Date): NonNullable<ContentStatus['error']> {
  return old?.error?.message === message ? old.error : { time: rfc3339(now), message }
}

function volumeStatusOf(
  volumeSnapshotName: string,
  { status }: VolumeSnapshot,
): NonNullable<ContentStatus['volumeSnapshotStatus']>[number] {
  return {
    volumeSnapshotName,
    ...(status?.creationTime === undefined ? {} : { creationTime: status.creationTime }),
    ...(status?.readyToUse === undefined ? {} : { readyToUse: status.readyToUse }),
    ...(status?.error === undefined ? {} : { error: status.error }),
  }
}
