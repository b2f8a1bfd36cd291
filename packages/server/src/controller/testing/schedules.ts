import type { SeededRandom } from './seeded-random.ts'
import type { Weather } from './simulated-transport.ts'
import type { Death, Simulation } from './simulation.ts'

const shownLines = 400

/**
 * Runs schedules by their seeds: `SCHEDULES` many from `SEED` on. The first that goes wrong fails with its seed, what
 * was wrong and the story of it; `SCHEDULES=1 SEED=<seed>` runs it again.
 */
export async function runSchedules(count: number, live: (seed: number) => Promise<Simulation>): Promise<void> {
  const schedules = Number(process.env.SCHEDULES ?? count)
  const first = Number(process.env.SEED ?? 1)
  const failures: string[] = []
  for (let seed = first; seed < first + schedules; seed += 1) {
    const { problems, lines } = await live(seed)
    if (problems.length === 0) continue
    failures.push(`seed ${seed}: ${problems.join('; ')}`)
    if (process.env.SCHEDULES_GO_ON !== undefined) continue
    const story =
      lines.length > shownLines ? [`… ${lines.length - shownLines} lines before`, ...lines.slice(-shownLines)] : lines
    throw new Error(
      `seed ${seed} goes wrong:\n${problems.map((text) => `- ${text}`).join('\n')}\n\n${story.join('\n')}`,
    )
  }
  if (failures.length > 0) throw new Error(`${failures.length} of ${schedules} schedules:\n${failures.join('\n')}`)
}

export function drawWeather(random: SeededRandom): Weather | undefined {
  return random.weighted<Weather | undefined>([
    [3, undefined],
    [4, { requestFaults: 0.03, lateEvents: 0.05, lateEventMs: 500, watchLifeMs: 60_000 }],
    [2, { requestFaults: 0.15, lateEvents: 0.2, lateEventMs: 2_000, watchLifeMs: 10_000 }],
    [1, { requestFaults: 0.02, lateEvents: 0.5, lateEventMs: 15_000, watchLifeMs: 30_000 }],
  ])
}

export function drawDeaths(random: SeededRandom, lastEffect: number): Death[] {
  const count = random.weighted([
    [3, 0],
    [4, 1],
    [2, 2],
    [1, 3],
    [1, 5],
  ])
  return Array.from({ length: count }, () => ({
    at: random.weighted<Death['at']>([
      [7, { effect: random.integer(1, lastEffect), when: random.pick(['asked', 'sent', 'done'] as const) }],
      [2, { ms: random.delayMs(5_000), polite: false }],
      [1, { ms: random.delayMs(5_000), polite: true }],
    ]),
    downMs: random.weighted([
      [5, random.delayMs(200)],
      [3, random.delayMs(5_000)],
      [1, random.delayMs(100_000)],
    ]),
  }))
}
