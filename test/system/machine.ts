import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { VirtualMachine, VirtualMachineInstance } from '../../packages/api/src/kubevirt/kinds.ts'
import { isTrue } from '../../packages/api/src/meta/condition.ts'
import { GuestShell } from './guest-shell.ts'
import type { Server } from './server.ts'
import { until } from './until.ts'

export const namespace = 'default'

/** Waits until the guest of a VM runs and its agent answers. */
export async function agentConnected(server: Server, name: string, timeoutMs = 60_000): Promise<void> {
  await until(
    server.client,
    VirtualMachineInstance,
    { namespace, name },
    (vmi) => vmi?.status?.phase === 'Running' && isTrue(vmi.status.conditions, 'AgentConnected'),
    timeoutMs,
  )
}

/** Stops a VM by its run strategy and waits until nothing of it runs. */
export async function stopped(server: Server, name: string): Promise<void> {
  await server.kubectl(['patch', 'vm', name, '--type=merge', '-p', '{"spec":{"runStrategy":"Halted"}}'])
  await until(server.client, VirtualMachineInstance, { namespace, name }, (vmi) => vmi === undefined)
  await until(server.client, VirtualMachine, { namespace, name }, (vm) => vm?.status?.printableStatus === 'Stopped')
}

export async function started(server: Server, name: string): Promise<void> {
  await server.kubectl(['patch', 'vm', name, '--type=merge', '-p', '{"spec":{"runStrategy":"Always"}}'])
  await agentConnected(server, name)
}

/** A root shell on the serial console of a VM, found through the runtime records of the server. */
export function shellOf(server: { dataDir: string }, name: string): Promise<GuestShell> {
  return GuestShell.connect(serialSocket(server.dataDir, name))
}

function serialSocket(dataDir: string, name: string): string {
  const dir = join(dataDir, 'machines')
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const read = (file: string): unknown => JSON.parse(readFileSync(join(dir, entry.name, file), 'utf8'))
    if (!existsSync(join(dir, entry.name, 'runtime.json'))) continue
    const { sockets } = read('runtime.json') as { sockets: { serial?: string } }
    if ((read('instance.json') as { name: string }).name === name && sockets.serial !== undefined) return sockets.serial
  }
  throw new Error(`no running virtual machine ${name} under ${dir}`)
}
