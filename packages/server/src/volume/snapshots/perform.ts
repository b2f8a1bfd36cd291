import { setTimeout } from 'node:timers/promises'
import { formatBytes } from '@stillpoint/api/meta/quantity'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { VolumeSnapshot, VolumeSnapshotContent } from '@stillpoint/api/storage/kinds'
import { rfc3339 } from '../../controller/conditions.ts'
import { describeError } from '../../controller/describe-error.ts'
import type { EventRecorder } from '../../controller/events.ts'
import { finalizerPatch } from '../../controller/finalizers.ts'
import type { VolumeSnapshot as Cut } from '../../csi/client.ts'
import { type KubeClient, refOf } from '../../kube/client.ts'
import { type Drivers, isFinal } from '../driver.ts'
import type { Inventory } from '../inventory.ts'
import { contentFinalizer, cutAloneAnnotation, groupSnapshotName, snapshotFinalizer, snapshotName } from '../keys.ts'
import type { Call, Member, Observed, Step, Target } from './plan.ts'

export interface PerformContext {
  client: KubeClient
  inventory: Inventory
  drivers: Drivers
  events: EventRecorder
  now: () => Date
  /** Deadline of a call that cuts: a guest may stand still meanwhile. */
  cutTimeoutMs: number
  /** How long what follows a cut waits, in favour of the thaw. */
  headStartMs: number
}

export interface Unit {
  observed: Observed
  snapshots: ReadonlyMap<string, VolumeSnapshot>
}

type Facts = NonNullable<VolumeSnapshot['status']>

/** Carries out one step for a unit. Every step may be repeated. */
export async function perform(step: Exclude<Step, { do: 'wait' }>, unit: Unit, context: PerformContext): Promise<void> {
  switch (step.do) {
    case 'cut': {
      await Promise.all(step.calls.map((call) => cut(call, unit, context)))
      return
    }
    case 'go-alone': {
      await Promise.all(
        step.keys.map(async (key) => {
          const snapshot = snapshotOf(unit, key)
          context.events.event(
            snapshot,
            'Warning',
            'CutSetIncomplete',
            `cut without the rest of its set: ${step.because}`,
          )
          const marked = await context.client.patch(VolumeSnapshot, refOf(snapshot), {
            metadata: { uid: snapshot.metadata.uid, annotations: { [cutAloneAnnotation]: step.because } },
          })
          context.inventory.snapshots.note(marked)
        }),
      )
      return
    }
    case 'block':
      return reportError(step.key, step.message, unit, context)
    case 'report':
      return report(step.key, unit, context)
    case 'refresh':
      return refresh(step.key, unit, context)
    case 'delete-content':
      return context.client.delete(VolumeSnapshotContent, { name: step.contentName })
    case 'release': {
      const snapshot = snapshotOf(unit, step.key)
      const patch = finalizerPatch(snapshot, snapshotFinalizer, 'remove')
      if (patch.length > 0)
        context.inventory.snapshots.note(await context.client.patch(VolumeSnapshot, refOf(snapshot), patch))
      return
    }
    default:
      step satisfies never
  }
}

async function cut(call: Call, unit: Unit, context: PerformContext): Promise<void> {
  const keys = call.kind === 'single' ? [call.key] : call.keys
  let cuts: ReadonlyMap<string, Cut>
  try {
    cuts = await callDriver(call, unit, context)
  } catch (error) {
    await Promise.all(keys.map((key) => failed(key, error, unit, context)))
    throw error
  }
  // The times first and alone: a guest is frozen until they are read. What names the driver's snapshot for good
  // follows; a crash in between finds the cut once more by its name.
  await Promise.all(keys.map((key) => tell(key, cuts.get(key), unit, context)))
  // The thaw that these times set off needs this processor more than the book-keeping does.
  if (call.kind === 'group') await setTimeout(context.headStartMs)
  await Promise.all(keys.map((key) => keep(key, cuts.get(key), unit, context)))
  for (const key of keys)
    context.events.event(
      snapshotOf(unit, key),
      'Normal',
      'SnapshotCreated',
      `Snapshot ${key} was successfully created by the CSI driver.`,
    )
}

/** The cut of each member, made now or found. */
async function callDriver(call: Call, unit: Unit, context: PerformContext): Promise<ReadonlyMap<string, Cut>> {
  const driver = context.drivers.get(call.driver)
  const timeoutMs = context.cutTimeoutMs
  if (call.kind === 'single') {
    const { uid } = memberOf(unit, call.key)
    const { volumeId, parameters } = targetOf(unit, call.key)
    const made = await driver.createSnapshot({
      name: snapshotName(uid),
      sourceVolumeId: volumeId,
      parameters,
      timeoutMs,
    })
    return new Map([[call.key, made]])
  }
  const targets = new Map(call.keys.map((key) => [key, targetOf(unit, key)]))
  const group = await driver.createGroupSnapshot({
    name: groupSnapshotName(call.setId),
    sourceVolumeIds: [...new Set([...targets.values()].map(({ volumeId }) => volumeId))],
    parameters: [...targets.values()][0]?.parameters ?? {},
    timeoutMs,
  })
  return new Map(
    [...targets].map(([key, { volumeId }]) => {
      const made = group.snapshots.find(({ sourceVolumeId }) => sourceVolumeId === volumeId)
      if (!made) throw new Error(`driver ${call.driver} left volume ${volumeId} out of group ${group.groupSnapshotId}`)
      // One instant, one time: whatever the driver says of the single members.
      return [key, { ...made, creationTime: group.creationTime }]
    }),
  )
}

async function tell(key: string, cut: Cut | undefined, unit: Unit, context: PerformContext): Promise<void> {
  const member = memberOf(unit, key)
  if (!cut || member.deleting) return
  const sizeBytes = cut.sizeBytes || targetOf(unit, key).sizeBytes
  await writeStatus(key, unit, context, {
    // With its fraction, as the driver tells it: how far cuts lie apart is measured in milliseconds.
    creationTime: cut.creationTime.toISOString(),
    readyToUse: cut.readyToUse,
    restoreSize: formatBytes(sizeBytes),
  })
}

async function keep(key: string, cut: Cut | undefined, unit: Unit, context: PerformContext): Promise<void> {
  if (!cut) return
  const { client, inventory } = context
  const { contentName, uid } = memberOf(unit, key)
  const target = targetOf(unit, key)
  const snapshot = snapshotOf(unit, key)
  let content = inventory.contents.get(contentName)
  if (!content) {
    try {
      content = await client.create(VolumeSnapshotContent, newContent(contentName, snapshot, uid, target))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      content = await client.get(VolumeSnapshotContent, { name: contentName })
    }
  }
  if (content.spec.volumeSnapshotRef.uid !== uid)
    throw new Error(`VolumeSnapshotContent ${contentName} belongs to another VolumeSnapshot: delete or rename it`)
  const status = {
    snapshotHandle: cut.snapshotId,
    creationTime: cut.creationTime.getTime() * 1_000_000,
    readyToUse: cut.readyToUse,
    restoreSize: cut.sizeBytes || target.sizeBytes,
    ...(cut.groupSnapshotId === undefined ? {} : { volumeGroupSnapshotHandle: cut.groupSnapshotId }),
  }
  inventory.contents.note(
    await client.patch(VolumeSnapshotContent, { name: contentName }, { status }, { subresource: 'status' }),
  )
}

function newContent(name: string, snapshot: VolumeSnapshot, uid: string, target: Target): VolumeSnapshotContent {
  return objectOf(
    VolumeSnapshotContent,
    { name, finalizers: [contentFinalizer] },
    {
      spec: {
        volumeSnapshotRef: {
          apiVersion: snapshot.apiVersion,
          kind: snapshot.kind,
          name: snapshot.metadata.name,
          ...(snapshot.metadata.namespace === undefined ? {} : { namespace: snapshot.metadata.namespace }),
          uid,
        },
        deletionPolicy: target.deletionPolicy,
        driver: target.driver,
        volumeSnapshotClassName: target.className,
        sourceVolumeMode: target.volumeMode,
        source: { volumeHandle: target.volumeId },
      },
    },
  )
}

/** A member the driver refused. One that is being deleted goes when nothing can have been kept of it. */
async function failed(key: string, error: unknown, unit: Unit, context: PerformContext): Promise<void> {
  if (!memberOf(unit, key).deleting)
    return reportError(
      key,
      `Failed to take snapshot of the volume ${targetOf(unit, key).volumeId}: ${describeError(error)}`,
      unit,
      context,
    )
  if (isFinal(error)) await perform({ do: 'release', key }, unit, context)
}

async function reportError(key: string, message: string, unit: Unit, context: PerformContext): Promise<void> {
  if (memberOf(unit, key).reportedError === message) return
  const snapshot = snapshotOf(unit, key)
  context.events.event(snapshot, 'Warning', 'SnapshotCreationFailed', message)
  await writeStatus(key, unit, context, {
    ...snapshot.status,
    readyToUse: false,
    error: { time: rfc3339(context.now()), message },
  })
}

/** Puts what the content says into the status of the VolumeSnapshot. */
async function report(key: string, unit: Unit, context: PerformContext): Promise<void> {
  const { contentName } = memberOf(unit, key)
  const content = await context.client.get(VolumeSnapshotContent, { name: contentName })
  const status = content.status ?? {}
  const { creationTime, restoreSize } = status
  await writeStatus(key, unit, context, {
    boundVolumeSnapshotContentName: contentName,
    ...(creationTime === undefined
      ? {}
      : { creationTime: new Date(Math.round(creationTime / 1_000_000)).toISOString() }),
    readyToUse: status.readyToUse ?? false,
    ...(restoreSize === undefined ? {} : { restoreSize: formatBytes(restoreSize) }),
  })
}

/** Asks the driver how far a snapshot is, and writes that into the content. */
async function refresh(key: string, unit: Unit, context: PerformContext): Promise<void> {
  const { client, inventory, drivers } = context
  const { contentName, uid } = memberOf(unit, key)
  const content = await client.get(VolumeSnapshotContent, { name: contentName })
  const { volumeSnapshotRef: owner, driver } = content.spec
  const snapshot = snapshotOf(unit, key)
  if (
    owner.name !== snapshot.metadata.name ||
    owner.namespace !== snapshot.metadata.namespace ||
    (owner.uid ?? uid) !== uid
  )
    return reportError(key, `VolumeSnapshotContent ${contentName} is bound to another VolumeSnapshot`, unit, context)
  const snapshotId = content.status?.snapshotHandle ?? content.spec.source.snapshotHandle ?? ''
  const [found] = await drivers.get(driver).listSnapshots({ snapshotId })
  if (!found) return reportError(key, `driver ${driver} has no snapshot ${snapshotId}`, unit, context)
  if (owner.uid === undefined)
    inventory.contents.note(
      await client.patch(VolumeSnapshotContent, { name: contentName }, { spec: { volumeSnapshotRef: { uid } } }),
    )
  const status = {
    snapshotHandle: snapshotId,
    // The time of a group is that of all its members, and was written when it was cut.
    creationTime: content.status?.creationTime ?? found.creationTime.getTime() * 1_000_000,
    readyToUse: found.readyToUse,
    restoreSize: found.sizeBytes,
  }
  inventory.contents.note(
    await client.patch(VolumeSnapshotContent, { name: contentName }, { status }, { subresource: 'status' }),
  )
}

async function writeStatus(
  key: string,
  unit: Unit,
  { client, inventory }: PerformContext,
  status: Facts,
): Promise<void> {
  const snapshot = snapshotOf(unit, key)
  const written = await client.patch(
    VolumeSnapshot,
    refOf(snapshot),
    [
      { op: 'test', path: '/metadata/uid', value: snapshot.metadata.uid },
      { op: 'add', path: '/status', value: status },
    ],
    { subresource: 'status' },
  )
  inventory.snapshots.note(written)
}

function snapshotOf(unit: Unit, key: string): VolumeSnapshot {
  const snapshot = unit.snapshots.get(key)
  if (!snapshot) throw new Error(`${key} is not a member of the unit`)
  return snapshot
}

function memberOf(unit: Unit, key: string): Member {
  const member = unit.observed.members.find((each) => each.key === key)
  if (!member) throw new Error(`${key} is not a member of the unit`)
  return member
}

function targetOf(unit: Unit, key: string): Target {
  const { target } = memberOf(unit, key)
  if ('blocked' in target) throw new Error(`${key}: ${target.blocked}`)
  return target.ready
}
