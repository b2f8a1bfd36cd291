import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from '../test/system/server.ts'
import { type Line, summarize } from './table.ts'

/** Start of the server, on a new and on a used data directory, and its resident memory when idle. */
export async function benchStart(dir: string, runs: number): Promise<Line[]> {
  const first: number[] = []
  const again: number[] = []
  const residentMiB: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const dataDir = join(dir, `${run}`)
    const fresh = await Server.start(dataDir)
    first.push(fresh.startMs)
    await fresh.stop()
    const used = await Server.start(dataDir)
    again.push(used.startMs)
    // Idle is what is left when start-up garbage has had time to go.
    await sleep(2_000)
    residentMiB.push(residentOf(used.pid))
    await used.stop()
  }
  const startAim = (summary: { median: number }) => ({ text: '≤ 1000 ms', met: summary.median <= 1_000 })
  const [a, b, c] = [summarize(first), summarize(again), summarize(residentMiB)]
  return [
    { what: 'start to ready, new data directory', unit: 'ms', summary: a, aim: startAim(a) },
    { what: 'start to ready, used data directory', unit: 'ms', summary: b, aim: startAim(b) },
    {
      what: 'resident memory, idle',
      unit: 'MiB',
      summary: c,
      aim: { text: '≤ 200 MB', met: c.median * 1.048576 <= 200 },
    },
  ]
}

function residentOf(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(match?.[1]) / 1_024
}
