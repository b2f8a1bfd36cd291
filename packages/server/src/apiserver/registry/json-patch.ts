import type { Operation } from 'fast-json-patch'
import { isJsonObject } from '../json.ts'
import { badRequest, entityTooLarge, patchFailed } from './errors.ts'

const operationsLimit = 10_000
const copiedLimitBytes = 3 * 1024 * 1024

/** A JSON patch (RFC 6902) as a function of the object it changes. 400 when it is none, 413 when it is too much. */
export async function jsonPatchOf(body: unknown): Promise<(target: object) => unknown> {
  if (!Array.isArray(body) || !body.every(isJsonObject)) throw badRequest('a JSON patch must be a list of operations')
  if (body.length > operationsLimit)
    throw entityTooLarge(`The allowed maximum operations in a JSON patch is ${operationsLimit}, got ${body.length}`)
  const operations = body as unknown as Operation[]
  const { applyOperation, getValueByPointer } = (await import('fast-json-patch')).default
  return (target) => {
    let document: unknown = structuredClone(target)
    let copiedBytes = 0
    for (const operation of structuredClone(operations)) {
      try {
        if (operation.op === 'copy')
          copiedBytes += JSON.stringify(getValueByPointer(document, operation.from))?.length ?? 0
        // A few dozen copies of copies would otherwise fill the memory.
        if (copiedBytes <= copiedLimitBytes) document = applyOperation(document, operation, true).newDocument
      } catch (error) {
        throw patchFailed(error)
      }
      if (copiedBytes > copiedLimitBytes) throw entityTooLarge(`copy operations exceed ${copiedLimitBytes} bytes`)
    }
    return document
  }
}
