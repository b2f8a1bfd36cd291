import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { VirtualMachine } from '../packages/api/src/kubevirt/kinds.ts'
import { VirtualMachineSnapshot } from '../packages/api/src/snapshot/kinds.ts'
import { Console, vmPath } from '../test/console/console.ts'
import { namespace, seedVm } from '../test/console/seeds.ts'
import { snapshotOf } from './objects.ts'
import { type Line, summarize } from './table.ts'

const count = 5_000
const vmName = 'busy'
const names = Array.from({ length: count }, (_, index) => `nightly-${String(index).padStart(4, '0')}`)
const writers = 16

/** The console in headless Chromium: 5 000 snapshots in a namespace, and how fast news is on the screen. */
export async function benchConsole(dir: string, runs: number): Promise<Line[]> {
  const started = await Console.start(join(dir, 'data'))
  try {
    const vm = await seedVm(started.client, { name: vmName, status: 'Running' })
    const few = await createToRow(started, runs)
    await seedMany(started, vm)
    return [...few, ...(await manySnapshots(started, runs)), await firstPage(started)]
  } finally {
    await started.close()
  }
}

async function seedMany({ client }: Console, vm: VirtualMachine): Promise<void> {
  let next = 0
  const write = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const name = names[index] ?? ''
      const created = await client.create(VirtualMachineSnapshot, snapshotOf(vmName, name))
      const at = new Date(Date.now() - index * 600_000).toISOString()
      const failed = index % 50 === 7
      await client.updateStatus(VirtualMachineSnapshot, {
        ...created,
        status: {
          phase: failed ? 'Failed' : 'Succeeded',
          readyToUse: !failed,
          creationTime: at,
          sourceUID: vm.metadata.uid,
          virtualMachineSnapshotContentName: `vmsnapshot-content-${created.metadata.uid}`,
          sourceIndications: [
            { indication: 'GuestAgent', message: 'Guest agent was active.' },
            { indication: 'Online', message: 'Snapshot taken while the VM was running.' },
          ],
          ...(failed ? { error: { time: at, message: 'snapshot deadline exceeded' } } : {}),
        },
      })
    }
  }
  await Promise.all(Array.from({ length: writers }, write))
}

async function openMeasured(started: Console, path: string): Promise<Page> {
  const page = await started.open('/')
  await page.context().addInitScript({ path: join(import.meta.dirname, 'console-page.js') })
  await page.goto(path, { waitUntil: 'commit' })
  return page
}

async function createToRow(started: Console, runs: number): Promise<Line[]> {
  const page = await openMeasured(started, vmPath(vmName, 'snapshots'))
  await page.getByRole('heading', { name: 'No snapshots found' }).waitFor()
  const { client } = started
  const onScreen: number[] = []
  const floor: number[] = []
  const arrivals = await watchArrivals(started)
  for (let run = 0; run < runs; run++) {
    const name = `fresh-${run}`
    const shown = page.evaluate<number>(`bench.seen('snapshot-${name}')`)
    // The observer must be there before the object is.
    await page.evaluate('bench.painted()')
    const began = performance.timeOrigin + performance.now()
    await client.create(VirtualMachineSnapshot, snapshotOf(vmName, name))
    floor.push((await arrivals.of(name)) - began)
    onScreen.push((await shown) - began)
  }
  arrivals.close()
  await page.context().close()
  // The first rows of the long list are to be those of the long list.
  for (let run = 0; run < runs; run++) await client.delete(VirtualMachineSnapshot, { namespace, name: `fresh-${run}` })
  const summary = summarize(onScreen)
  return [
    { what: 'snapshot created → seen by a bare watch (floor)', unit: 'ms', summary: summarize(floor) },
    {
      what: 'snapshot created → row on the screen',
      unit: 'ms',
      summary,
      aim: { text: 'median < 300 ms', met: summary.median < 300 },
    },
  ]
}

/** When (ms since 1970) snapshots are told of by one watch, which is opened with the first question. */
async function watchArrivals({ client }: Console): Promise<{ of(name: string): Promise<number>; close(): void }> {
  const { metadata } = await client.list(VirtualMachineSnapshot, { namespace })
  const closing = new AbortController()
  const lines = client.watchLines(VirtualMachineSnapshot, {
    namespace,
    resourceVersion: metadata.resourceVersion ?? '0',
    timeoutSeconds: 600,
    signal: closing.signal,
  })
  return {
    async of(name) {
      for (;;) {
        const { done, value } = await lines.next()
        if (done) throw new Error(`the watch ended before it told of ${name}`)
        const at = performance.timeOrigin + performance.now()
        const { type, object } = JSON.parse(value) as { type: string; object: VirtualMachineSnapshot }
        if (type === 'ADDED' && object.metadata.name === name) return at
      }
    },
    close: () => closing.abort(),
  }
}

async function manySnapshots(started: Console, runs: number): Promise<Line[]> {
  const paints: number[] = []
  for (let run = 0; run < runs; run++) {
    const page = await openMeasured(started, '/')
    await page.getByRole('heading', { name: 'VirtualMachines' }).waitFor()
    const began = performance.timeOrigin + performance.now()
    await page.goto(vmPath(vmName, 'snapshots'), { waitUntil: 'commit' })
    paints.push((await page.evaluate<number>("bench.seen('snapshot-nightly-0000')")) - began)
    await page.context().close()
  }
  const page = await openMeasured(started, vmPath(vmName, 'snapshots'))
  // Until all pages of the list are there.
  await page.getByTestId('filter-toolbar').waitFor()
  await page.evaluate(`bench.filled(${count})`)
  const frames = await scroll(page)
  const answers = await type(page)
  const heap = await heapBytes(page)
  const resident = await residentBytes(started)
  const paint = summarize(paints)
  const frame = summarize(frames)
  const answer = summarize(answers)
  const memory = summarize([heap / 1024 / 1024])
  return [
    {
      what: `${count} snapshots: navigation → first rows`,
      unit: 'ms',
      summary: paint,
      aim: { text: 'median < 1500 ms', met: paint.median < 1_500 },
    },
    {
      what: `${count} snapshots: frames while scrolling`,
      unit: 'ms',
      summary: frame,
      aim: { text: 'none > 100 ms', met: frame.max <= 100 },
    },
    {
      what: `${count} snapshots: key typed in the filter → rows painted`,
      unit: 'ms',
      summary: answer,
      aim: { text: 'none > 100 ms', met: answer.max <= 100 },
    },
    {
      what: `${count} snapshots: JavaScript heap after collection`,
      unit: 'MiB',
      summary: memory,
    },
    {
      what: `${count} snapshots: resident memory of the page's process`,
      unit: 'MB',
      summary: summarize([resident / 1e6]),
      aim: { text: '< 300 MB', met: resident < 300e6 },
    },
  ]
}

/** Times between frames while the wheel turns through the list. */
async function scroll(page: Page): Promise<number[]> {
  await page.mouse.move(640, 600)
  const frames = page.evaluate<number[]>('bench.frames(5000)')
  for (let turn = 0; turn < 60; turn++) await page.mouse.wheel(0, turn % 3 === 0 ? 4_000 : 700)
  return frames
}

/** From each key to the frame that shows its effect. */
async function type(page: Page): Promise<number[]> {
  await page.getByTestId('filter-toolbar').getByRole('textbox').first().focus()
  const text = 'nightly-42'
  const times: number[] = []
  for (let length = 1; length <= text.length; length++) {
    const answered = page.evaluate<number>(
      `bench.answered(${names.filter((name) => name.includes(text.slice(0, length))).length})`,
    )
    await page.evaluate('bench.painted()')
    await page.keyboard.press(text.charAt(length - 1))
    times.push(await answered)
  }
  return times
}

async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize
}

/** The largest of the browser's processes that draw pages. */
async function residentBytes({ browser }: Console): Promise<number> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const sizes = processInfo
    .filter(({ type: kind }) => kind === 'renderer')
    .map(({ id }) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0) * 1024)
  return Math.max(...sizes)
}

/** What a browser that was never here fetches of scripts before the first page is there. */
async function firstPage(started: Console): Promise<Line> {
  const page = await openMeasured(started, '/')
  await page.getByRole('heading', { name: 'VirtualMachines' }).waitFor()
  const bytes = await page.evaluate<number>('bench.scriptBytes()')
  await page.context().close()
  const summary = summarize([bytes / 1000])
  return {
    what: 'JavaScript of the first page, compressed',
    unit: 'KB',
    summary,
    aim: { text: '<= 600 KB', met: bytes <= 600_000 },
  }
}
