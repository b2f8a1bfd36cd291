import { randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '../packages/api/src/snapshot/kinds.ts'
import { namespace } from '../test/system/machine.ts'
import { Server } from '../test/system/server.ts'
import { until } from '../test/system/until.ts'
import { machine, restoreOf, snapshotOf } from './objects.ts'
import { type Line, summarize } from './table.ts'

/** Restores of a disk with 1 GiB of data, from the create request to `complete`: 10 GiB, then 100 GiB. */
export async function benchRestore(dir: string, runs: number): Promise<Line[]> {
  const server = await Server.start(join(dir, 'data'), ['--import-dir', dir])
  try {
    const lines: Line[] = []
    const medians: number[] = []
    for (const gib of [10, 100]) {
      const image = `data-${gib}.raw`
      await sparseImage(join(dir, image), gib)
      const vm = `disk-${gib}`
      await server.client.create(VirtualMachine, machine(vm, 'Halted', [{ name: 'data', size: `${gib}Gi`, image }]))
      await until(
        server.client,
        VirtualMachine,
        { namespace, name: vm },
        (v) => v?.status?.printableStatus === 'Stopped',
        600_000,
      )
      await server.client.create(VirtualMachineSnapshot, snapshotOf(vm, vm))
      await until(server.client, VirtualMachineSnapshot, { namespace, name: vm }, (s) => s?.status?.readyToUse === true)
      const times: number[] = []
      for (let run = 0; run < runs; run += 1) {
        const name = `${vm}-${run}`
        const began = performance.now()
        const complete = until(
          server.client,
          VirtualMachineRestore,
          { namespace, name },
          (r) => r?.status?.complete === true,
        )
        await server.client.create(VirtualMachineRestore, restoreOf(vm, vm, name))
        await complete
        times.push(performance.now() - began)
      }
      const summary = summarize(times)
      medians.push(summary.median)
      const aim =
        gib === 10
          ? { text: '≤ 1000 ms', met: summary.median <= 1_000 }
          : { text: 'as 10 GiB', met: summary.median <= 1.25 * (medians[0] ?? 0) }
      lines.push({ what: `restore, ${gib} GiB disk with 1 GiB of data, create → complete`, unit: 'ms', summary, aim })
    }
    return lines
  } finally {
    await server.stop('SIGUSR2')
  }
}

/** A raw image of `gib` GiB with 1 GiB of random data spread over it in 16 MiB pieces. */
async function sparseImage(path: string, gib: number): Promise<void> {
  const pieces = 64
  const piece = Buffer.alloc(16 * 2 ** 20)
  const file = await open(path, 'w')
  try {
    await file.truncate(gib * 2 ** 30)
    for (let i = 0; i < pieces; i += 1) {
      randomFillSync(piece)
      await file.write(piece, 0, piece.length, Math.floor((i / pieces) * gib * 2 ** 30))
    }
  } finally {
    await file.close()
  }
}
