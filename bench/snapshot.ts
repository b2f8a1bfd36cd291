import { join } from 'node:path'
import { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../packages/api/src/snapshot/kinds.ts'
import { agentConnected, namespace } from '../test/system/machine.ts'
import { Server } from '../test/system/server.ts'
import { until } from '../test/system/until.ts'
import { machine, snapshotOf } from './objects.ts'
import { type Line, summarize } from './table.ts'

const disks = [
  { name: 'root', size: '1Gi', image: 'guest.qcow2' },
  { name: 'data', size: '1Gi' },
]

/** From the create request to `readyToUse`, seen by a watch; and the same by `kubectl create` and `kubectl wait`. */
export async function benchSnapshot(dir: string, runs: number): Promise<Line[]> {
  const server = await Server.start(join(dir, 'data'))
  try {
    await server.client.create(VirtualMachine, machine('on', 'Always', disks))
    await server.client.create(VirtualMachine, machine('off', 'Halted', disks))
    await agentConnected(server, 'on')
    await until(
      server.client,
      VirtualMachine,
      { namespace, name: 'off' },
      (vm) => vm?.status?.printableStatus === 'Stopped',
    )
    const lines: Line[] = []
    for (const [vm, limitMs] of [
      ['on', 500],
      ['off', 250],
    ] as const) {
      const times: number[] = []
      const floors: number[] = []
      for (let run = 0; run < runs; run += 1) {
        const name = `${vm}-${run}`
        const began = performance.now()
        const ready = until(
          server.client,
          VirtualMachineSnapshot,
          { namespace, name },
          (s) => s?.status?.readyToUse === true,
        )
        await server.client.create(VirtualMachineSnapshot, snapshotOf(vm, name))
        await ready
        times.push(performance.now() - began)
        const asked = performance.now()
        await server.client.list(VirtualMachineSnapshot, { namespace })
        floors.push(performance.now() - asked)
        await server.client.delete(VirtualMachineSnapshot, { namespace, name })
        await until(server.client, VirtualMachineSnapshot, { namespace, name }, (s) => s === undefined)
      }
      const summary = summarize(times)
      const what =
        vm === 'on' ? 'online snapshot, 2 disks, create → ready' : 'offline snapshot, 2 disks, create → ready'
      lines.push({ what, unit: 'ms', summary, aim: { text: `≤ ${limitMs} ms`, met: summary.median <= limitMs } })
      lines.push({ what: '  floor: one list request', unit: 'ms', summary: summarize(floors) })
    }
    const commands: number[] = []
    for (let run = 0; run < runs; run += 1) {
      const name = `kubectl-${run}`
      const began = performance.now()
      await server.kubectl(['create', '-f', '-'], JSON.stringify(snapshotOf('on', name)))
      await server.kubectl(['wait', 'vmsnapshot', name, '--for', 'condition=Ready', '--timeout=60s'])
      commands.push(performance.now() - began)
      await server.kubectl(['delete', 'vmsnapshot', name])
    }
    lines.push({ what: '  the same by kubectl create, kubectl wait', unit: 'ms', summary: summarize(commands) })
    return lines
  } finally {
    await server.stop('SIGUSR2')
  }
}
