import { lastRestoreUidAnnotation } from './keys.ts'

/** One operation of a JSON patch (RFC 6902), as far as its target matters here. */
export interface PatchOperation {
  op: string
  path: string
  from?: string
  value?: unknown
}

/** The operation in one item of `spec.patches`; a text saying what is wrong with it otherwise. */
export function parsePatch(item: string): PatchOperation | string {
  let value: unknown
  try {
    value = JSON.parse(item)
  } catch {
    return `${item} is not valid JSON`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${item} is not a JSON object`
  const { op, path, from, value: operand } = value as Record<string, unknown>
  if (typeof op !== 'string' || typeof path !== 'string') return `${item} needs the members op and path`
  if (from !== undefined && typeof from !== 'string') return `${item}: from is not a string`
  return { op, path, ...(from === undefined ? {} : { from }), ...(operand === undefined ? {} : { value: operand }) }
}

const allowed = /^\/(spec\/.+|metadata\/(labels|annotations)\/[^/]+)$/s

/** By this annotation a restore knows its target. */
export const markPath = `/metadata/annotations/${lastRestoreUidAnnotation.replaceAll('/', '~1')}`

/** Restores may change the new VM's spec, and single labels and annotations but their own mark; nothing else of it. */
export function mayPatch({ op, path, from }: PatchOperation): boolean {
  if (path === markPath || from === markPath) return false
  const moves = op === 'move' || op === 'copy'
  return allowed.test(path) && (!moves || (from !== undefined && allowed.test(from)))
}
