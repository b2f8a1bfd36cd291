import type { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import {
  importCertsAnnotation,
  importChecksumAnnotation,
  importEndpointAnnotation,
  importHeaderAnnotationPrefix,
  importInsecureAnnotation,
  importSecretAnnotation,
  importSourceAnnotation,
  podPhaseAnnotation,
  uploadTargetAnnotation,
} from '../keys.ts'

/** What is to be written into the volume of a claim, as its annotations say. */
export type FillRequest = { phase: string } & (
  | { kind: 'upload' }
  | { kind: 'blank' }
  | {
      kind: 'http'
      url: string
      checksum?: string
      headers: readonly string[]
      secretName?: string
      certConfigMap?: string
      insecure: boolean
    }
)

/** The request of a claim. Undefined when its volume is complete as the driver makes it. */
export function fillOf({ metadata }: PersistentVolumeClaim): FillRequest | undefined {
  const annotations = metadata.annotations ?? {}
  const phase = annotations[podPhaseAnnotation] ?? ''
  if (annotations[uploadTargetAnnotation] !== undefined) return { kind: 'upload', phase }
  const source = annotations[importSourceAnnotation]
  if (source === 'none') return { kind: 'blank', phase }
  const url = annotations[importEndpointAnnotation]
  if (source !== 'http' || url === undefined) return undefined
  const checksum = annotations[importChecksumAnnotation]
  const secretName = annotations[importSecretAnnotation]
  const certConfigMap = annotations[importCertsAnnotation]
  return {
    kind: 'http',
    phase,
    url,
    ...(checksum === undefined ? {} : { checksum }),
    ...(secretName === undefined ? {} : { secretName }),
    ...(certConfigMap === undefined ? {} : { certConfigMap }),
    insecure: annotations[importInsecureAnnotation] === 'true',
    headers: Object.keys(annotations)
      .filter((key) => key.startsWith(importHeaderAnnotationPrefix))
      .toSorted()
      .flatMap((key) => annotations[key] ?? []),
  }
}
