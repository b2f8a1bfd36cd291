import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { prePopulatedAnnotation, restoreNameAnnotation } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { DataVolume } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import type { ControllerContext } from '../controller/context.ts'
import type { EventRecorder } from '../controller/events.ts'
import { refOf } from '../kube/client.ts'
import type { Pass } from './observe.ts'
import { isMadeBy } from './restored-volumes.ts'
import { claimAgain, type Retained, rebindPatch, releasePatch } from './retained.ts'
import type { World } from './world.ts'

type Restore = VirtualMachineRestore

interface Tools {
  context: ControllerContext
  world: World
  events: EventRecorder
}

/** One step back from a replacement in place. */
export async function rollBack(
  tools: Tools,
  { restore, retained }: Pass,
  step: { do: 'removeRestored' | 'rebind' | 'claimAgain' | 'releaseRolledBack'; volume: string },
): Promise<void> {
  const { context, world, events } = tools
  const { client } = context
  const one = retained.find(({ volume }) => volume.metadata.name === step.volume)
  if (one === undefined) return
  const { namespace, name, dataVolumeName } = one.claim
  const volumeRef = { name: step.volume }
  switch (step.do) {
    case 'removeRestored': {
      const claim = world.claims.get(`${namespace}/${name}`)
      if (claim !== undefined) await client.delete(PersistentVolumeClaim, refOf(claim), { uid: uidOf(claim) })
      return
    }
    case 'rebind':
      world.volumes.note(await client.patch(PersistentVolume, volumeRef, rebindPatch(one.volume)))
      return
    case 'claimAgain':
      try {
        world.claims.note(await client.create(PersistentVolumeClaim, claimAgain(one)))
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
        world.claims.note(await client.get(PersistentVolumeClaim, { namespace, name }))
      }
      events.event(restore, 'Normal', 'RestoreRolledBack', `PVC ${name} is back on volume ${step.volume}`)
      return
    case 'releaseRolledBack': {
      // What follows lets the volume go with its claim, so it must not rest on an old look.
      if (!(await isBack(tools, one))) return
      const dataVolume = world.dataVolumes.get(`${namespace}/${dataVolumeName}`)
      if (dataVolume?.metadata.annotations?.[restoreNameAnnotation] === restore.metadata.name) {
        const annotations = { [restoreNameAnnotation]: null, [prePopulatedAnnotation]: null }
        world.dataVolumes.note(await client.patch(DataVolume, refOf(dataVolume), { metadata: { annotations } }))
      }
      world.volumes.note(await client.patch(PersistentVolume, volumeRef, releasePatch(one.volume, { policy: true })))
      return
    }
    default:
      step.do satisfies never
  }
}

/** The old claim is there, now, and bound to its old volume. */
async function isBack({ context, world }: Tools, { volume, claim: { namespace, name } }: Retained): Promise<boolean> {
  const claim = await context.client.find(PersistentVolumeClaim, { namespace, name })
  if (claim === undefined) return false
  world.claims.note(claim)
  const { metadata, spec, status } = claim
  return (
    metadata.deletionTimestamp === undefined &&
    spec?.volumeName === volume.metadata.name &&
    status?.phase === 'Bound' &&
    volume.spec?.claimRef?.uid === metadata.uid
  )
}

/** The new claim is there, now, and has a volume of its own. */
async function isReplaced(
  { context, world }: Tools,
  restore: Restore,
  { volume, claim: { namespace, name } }: Retained,
): Promise<boolean> {
  const claim = await context.client.find(PersistentVolumeClaim, { namespace, name })
  if (claim === undefined) return false
  world.claims.note(claim)
  const isBound = claim.status?.phase === 'Bound' && claim.spec?.volumeName !== volume.metadata.name
  return isMadeBy(claim, restore) && isBound
}

/** What the old claim belonged to is no more, now: the claim and its data would have gone with it. */
async function isOwnerGone({ context }: Tools, { claim: { namespace, ownerReferences } }: Retained): Promise<boolean> {
  const owner = ownerReferences?.find(({ controller }) => controller)
  if (owner === undefined) return false
  const ref = { namespace, name: owner.name }
  const { client } = context
  const live = owner.kind === 'DataVolume' ? await client.find(DataVolume, ref) : await client.find(VirtualMachine, ref)
  return live?.metadata.uid !== owner.uid
}

/** What was kept as the way back is needed no more; or it is left to a person, who is told. */
export async function releaseRetained(
  tools: Tools,
  { restore, retained, target }: Pass,
  { keepData, volumes }: { keepData: boolean; volumes?: readonly string[] },
): Promise<void> {
  const { context, world, events } = tools
  for (const one of retained) {
    const { volume, claim } = one
    const { name } = volume.metadata
    if (volumes?.includes(name) === false) continue
    const isDone = !keepData && ((await isReplaced(tools, restore, one)) || (await isOwnerGone(tools, one)))
    if (!keepData && !isDone && target !== undefined) continue
    if (!isDone) {
      const text = `PersistentVolume ${name} with the former data of PVC ${claim.name} is kept; delete it when it is not needed`
      events.event(restore, 'Warning', 'FormerVolumeKept', text)
    }
    world.volumes.note(await context.client.patch(PersistentVolume, { name }, releasePatch(volume, { policy: isDone })))
  }
}
