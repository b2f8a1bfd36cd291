import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import * as z from 'zod'
import { provisioningAnnotation, volumeName } from './keys.ts'

/** One CreateVolume call, complete, so that it can be repeated when everything around it has changed. */
export const provisioningRecord = z.object({
  driver: z.string(),
  name: z.string(),
  capacityBytes: z.number().int().positive(),
  source: z.union([z.object({ snapshotId: z.string() }), z.object({ volumeId: z.string() })]).optional(),
  parameters: z.record(z.string(), z.string()),
  volumeMode: z.enum(['Block', 'Filesystem']),
  reclaimPolicy: z.enum(['Delete', 'Retain']),
})
export type ProvisioningRecord = z.output<typeof provisioningRecord>

/**
 * The record a claim carries. Undefined for anything that is not one, and for another claim's: annotations are copied
 * when claims are (a restore does so), and must not lead to the volume of the original.
 */
export function recordedOn({ metadata }: PersistentVolumeClaim): ProvisioningRecord | undefined {
  const text = metadata.annotations?.[provisioningAnnotation]
  if (text === undefined || metadata.uid === undefined) return undefined
  try {
    const record = provisioningRecord.parse(JSON.parse(text))
    return record.name === volumeName(metadata.uid) ? record : undefined
  } catch {
    // Not written by us: as if there were none.
    return undefined
  }
}

/** The same call, as the CSI client takes it. */
export function createVolumeRequest({ name, capacityBytes, source, parameters, volumeMode }: ProvisioningRecord) {
  return { name, capacityBytes, parameters, volumeMode, ...(source ? { contentSource: source } : {}) }
}
