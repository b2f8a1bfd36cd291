import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const known = new Map<string, Promise<ReadonlyMap<string, string>>>()

/**
 * The versioned machine type behind an alias (`q35` → `pc-q35-7.2`). What an alias means changes with QEMU, and a
 * guest restored with its memory needs the very machine it was saved on; so the answer belongs into its status.
 */
export async function resolveMachineType(machine: string, program = 'qemu-system-x86_64'): Promise<string> {
  let types = known.get(program)
  if (!types) {
    types = listMachineTypes(program)
    known.set(program, types)
    // A failure is not remembered: QEMU may be installed meanwhile.
    types.catch(() => known.delete(program))
  }
  const resolved = (await types).get(machine)
  if (!resolved) throw new Error(`machine type ${JSON.stringify(machine)} is not known to ${program}`)
  return resolved
}

async function listMachineTypes(program: string): Promise<ReadonlyMap<string, string>> {
  try {
    const { stdout } = await run(program, ['-machine', 'help'], { timeout: 10_000, maxBuffer: 1024 * 1024 })
    return parseMachineTypes(stdout)
  } catch (err) {
    const missing = (err as NodeJS.ErrnoException).code === 'ENOENT'
    const hint = missing ? '; install it (Debian: qemu-system-x86)' : ''
    throw new Error(`cannot ask ${program} for its machine types${hint}`, { cause: err })
  }
}

/** Reads `-machine help`: name, description, and `(alias of …)` where it is one. */
export function parseMachineTypes(text: string): ReadonlyMap<string, string> {
  const types = new Map<string, string>()
  for (const line of text.split('\n').slice(1)) {
    const name = /^(\S+)\s/.exec(line)?.[1]
    if (name) types.set(name, /\(alias of (\S+)\)/.exec(line)?.[1] ?? name)
  }
  return types
}
