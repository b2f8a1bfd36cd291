// upload: offered ─→ (uploads/ writes it) ─→ Succeeded        http: imported ─→ Succeeded        blank: made ─→ Succeeded
//
// The claim stays Pending all the while. Whatever a crash leaves behind is thrown away with the volume it was written
// to, and the filling begins anew: a volume is either complete or not there.

import type { FillRequest } from './fill-request.ts'

export interface Observed {
  request?: FillRequest
  /** The call that makes the volume is decided. */
  recorded: boolean
  deleting: boolean
  bound: boolean
  uploadOffered: boolean
}

export type Step =
  | { do: 'nothing' }
  | { do: 'offer-upload' }
  | { do: 'make-blank' }
  | { do: 'import'; request: Extract<FillRequest, { kind: 'http' }> }

export function plan({ request, recorded, deleting, bound, uploadOffered }: Observed): Step {
  if (!request || !recorded || deleting || bound) return { do: 'nothing' }
  if (request.phase === 'Succeeded' || request.phase === 'Failed') return { do: 'nothing' }
  switch (request.kind) {
    case 'upload':
      return uploadOffered ? { do: 'nothing' } : { do: 'offer-upload' }
    case 'blank':
      return { do: 'make-blank' }
    case 'http':
      return { do: 'import', request }
    default:
      return request satisfies never
  }
}
