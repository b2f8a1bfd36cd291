import type { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import jsonPatch, { type Operation } from 'fast-json-patch'

/** Applies the patches of a restore, in order, as one JSON patch. */
export function applyPatches(vm: VirtualMachine, patches: readonly string[] | undefined): VirtualMachine {
  if (patches === undefined || patches.length === 0) return vm
  try {
    const operations = patches.map((patch) => JSON.parse(patch) as Operation)
    return jsonPatch.applyPatch(structuredClone(vm), operations, true).newDocument
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause)
    const at = cause instanceof jsonPatch.JsonPatchError && cause.index !== undefined ? patches[cause.index] : undefined
    throw new PatchError(`error patching VM ${vm.metadata.name}: ${reason}${at === undefined ? '' : `: ${at}`}`)
  }
}

/** A patch that does not fit the captured VM: for the author of the restore to settle. */
export class PatchError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PatchError'
  }
}
