import { cloneAdmission } from '@stillpoint/api/clone/admission'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import type { Admission } from '../../apiserver/api-server.ts'
import { volumeAdmission } from '../../volume/admission.ts'
import { SeededRandom } from './seeded-random.ts'
import type { Weather } from './simulated-transport.ts'
import { type Death, type Deed, Simulation } from './simulation.ts'

const shownLines = 400

export type Story = (simulation: Simulation) => Promise<void>

/** The rules our API server and a cluster have for these kinds. */
function rulesFor(seed: number): readonly Admission[] {
  const suffixes = new SeededRandom(seed)
  return [...snapshotAdmission, ...cloneAdmission(() => suffixes.uuid().slice(0, 5)), ...volumeAdmission]
}

/** Lives through the schedule of one seed. */
export async function live(seed: number, tell: Story, rules = rulesFor): Promise<Simulation> {
  const simulation = new Simulation(seed, rules(seed))
  try {
    await tell(simulation)
  } catch (error) {
    simulation.broken(error)
  } finally {
    simulation.close()
  }
  return simulation
}

/**
 * Runs schedules by their seeds: `SCHEDULES` many from `SEED` on. The first that goes wrong fails with its seed, what
 * was wrong and the story of it; `SCHEDULES=1 SEED=<seed>` runs it again. `SCHEDULES_GO_ON` lists all seeds that fail.
 */
export async function runSchedules(count: number, tell: Story, rules = rulesFor): Promise<void> {
  const schedules = Number(process.env.SCHEDULES ?? count)
  const first = Number(process.env.SEED ?? 1)
  const failures: string[] = []
  for (let seed = first; seed < first + schedules; seed += 1) {
    const { problems, lines } = await live(seed, tell, rules)
    if (problems.length === 0) continue
    failures.push(`seed ${seed}: ${problems.join('; ')}`)
    if (process.env.SCHEDULES_GO_ON !== undefined) continue
    const left = lines.length - shownLines
    const story = left > 0 ? [`… ${left} lines before`, ...lines.slice(-shownLines)] : lines
    throw new Error([`seed ${seed} goes wrong:`, ...problems.map((text) => `- ${text}`), '', ...story].join('\n'))
  }
  if (failures.length > 0) throw new Error(`${failures.length} of ${schedules} schedules:\n${failures.join('\n')}`)
}

/** How well network and server work: often well, sometimes badly. */
export function drawWeather(random: SeededRandom): Weather | undefined {
  return random.weighted<Weather | undefined>([
    [3, undefined],
    [4, { requestFaults: 0.03, lateEvents: 0.05, lateEventMs: 500, watchLifeMs: 60_000 }],
    [2, { requestFaults: 0.15, lateEvents: 0.2, lateEventMs: 2_000, watchLifeMs: 10_000 }],
    [1, { requestFaults: 0.02, lateEvents: 0.5, lateEventMs: 15_000, watchLifeMs: 30_000 }],
  ])
}

/** How the processes end, one after the other; effects are counted from 1 in each. */
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

/** What happens meanwhile, often nothing or one thing: each drawn by `draw`, and then the time of it. */
export function drawDeedsFrom(
  random: SeededRandom,
  lastEffect: number,
  draw: () => readonly [what: string, run: () => Promise<unknown> | unknown],
): Deed[] {
  const count = random.weighted([
    [3, 0],
    [4, 1],
    [3, 2],
    [2, 4],
  ])
  return Array.from({ length: count }, () => {
    const [what, run] = draw()
    const delayMs = random.weighted([
      [5, random.delayMs(5)],
      [3, random.delayMs(300)],
      [2, random.delayMs(20_000)],
    ])
    return { afterEffects: random.integer(0, lastEffect), delayMs, what, run: async () => void (await run()) }
  })
}
