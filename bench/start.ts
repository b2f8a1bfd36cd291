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
  const togetherMiB: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const dataDir = join(dir, `${run}`)
    const fresh = await Server.start(dataDir)
    first.push(fresh.startMs)
    await fresh.stop()
    const used = await Server.start(dataDir)
    again.push(used.startMs)
    // Idle is what is left when start-up garbage has had time to go.
    await sleep(2_000)
    residentMiB.push(memoryOf(used.pid, 'Rss'))
    // The guard is part of the server: what the two share (the Node binary) is counted once.
    const guard = JSON.parse(readFileSync(join(dataDir, 'machines/guard.json'), 'utf8')) as { pid: number }
    togetherMiB.push(memoryOf(used.pid, 'Pss') + memoryOf(guard.pid, 'Pss'))
    await used.stop()
  }
  const startAim = (summary: { median: number }) => ({ text: '≤ 1000 ms', met: summary.median <= 1_000 })
  const [a, b, c, d] = [summarize(first), summarize(again), summarize(residentMiB), summarize(togetherMiB)]
  const memoryAim = (summary: { median: number }) => ({ text: '≤ 200 MB', met: summary.median * 1.048576 <= 200 })
  return [
    { what: 'start to ready, new data directory', unit: 'ms', summary: a, aim: startAim(a) },
    { what: 'start to ready, used data directory', unit: 'ms', summary: b, aim: startAim(b) },
    { what: 'resident memory of the server, idle', unit: 'MiB', summary: c, aim: memoryAim(c) },
    { what: 'memory of server and freeze guard, shared pages once', unit: 'MiB', summary: d, aim: memoryAim(d) },
  ]
}

/** Resident (`Rss`) or proportional (`Pss`: shared pages divided by their users) memory of a process, in MiB. */
function memoryOf(pid: number, kind: 'Rss' | 'Pss'): number {
  const match = new RegExp(`^${kind}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  if (!match) throw new Error(`no ${kind} of process ${pid}`)
  return Number(match[1]) / 1_024
}
