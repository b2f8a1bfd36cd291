// How long the layers driver takes to cut the two disks of a running QEMU, asked over gRPC: the time inside a freeze.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CsiClient } from '../packages/server/src/csi/client.ts'
import { startLayersDriver } from '../packages/server/src/layers/driver.ts'
import { quiet } from '../packages/server/src/layers/testing/fixture.ts'
import { TestMachine } from '../packages/server/src/layers/testing/machine.ts'

const rounds = 30
const dir = await mkdtemp(join(tmpdir(), 'cut-'))
await mkdir(join(dir, 'pods'))
const inside: number[] = []
const log = {
  ...quiet,
  info: (fields: { tookMicros?: number }) => fields.tookMicros && inside.push(fields.tookMicros / 1000),
}
const endpoint = `unix://${join(dir, 'csi')}`
const driver = await startLayersDriver({ endpoint, dataDir: join(dir, 'data'), log })
const csi = CsiClient.connect(endpoint, { timeoutMs: 10_000 })
const targets: string[] = []
const sourceVolumeIds: string[] = []
for (const name of ['root', 'data']) {
  const { volumeId } = await csi.createVolume({ name, capacityBytes: 1024 ** 3 })
  const targetPath = join(dir, 'pods', name)
  await csi.nodePublish({ volumeId, targetPath })
  sourceVolumeIds.push(volumeId)
  targets.push(targetPath)
}
const machine = await TestMachine.start(dir, targets)
const line = (what: string, ms: number[]) => {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (share: number) => `${(sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1)} ms`
  console.log(`${what.padEnd(34)} min ${at(0)}, median ${at(0.5)}, max ${at(1)}`)
}
try {
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (const disk of [0, 1]) await machine.write(disk, round + 1, round * 2 ** 20, 2 ** 20)
    await driver.prepared()
    const began = performance.now()
    await csi.createGroupSnapshot({ name: `cut-${round}`, sourceVolumeIds })
    took.push(performance.now() - began)
  }
  console.log(`group cut of 2 open disks with 1 MiB written to each, ${rounds} rounds`)
  line('in the driver', inside)
  line('over gRPC, client in one process', took)
} finally {
  await machine.quit()
  csi.close()
  await driver.close()
  await rm(dir, { recursive: true, force: true })
}
