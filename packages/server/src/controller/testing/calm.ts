import type { Simulation } from './simulation.ts'

const convergenceMs = 1_200_000
const quietMs = 600_000

/** The time after the last fault, in which everything has to end well, and then to stay quiet. */
export class Calm {
  readonly #simulation: Simulation
  readonly #fromMs: number
  readonly #before: number

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.#before = simulation.requests
    simulation.note('— calm —')
    this.#fromMs = simulation.time.elapsedMs
  }

  /** Waits until nothing is unfinished, and says what still is. Returns the requests that took. */
  async converge(unfinished: () => string[]): Promise<number> {
    const simulation = this.#simulation
    await simulation.run(this.#fromMs + 2_000)
    const ended = await simulation.run(this.#fromMs + convergenceMs, () => unfinished().length === 0)
    for (const text of ended ? [] : unfinished()) simulation.violated(`does not end: ${text}`)
    return simulation.requests - this.#before
  }

  /** Nobody has anything to do any more: more requests than `atMost` are wrong. */
  async expectQuiet(atMost: number): Promise<void> {
    const simulation = this.#simulation
    const before = simulation.requests
    await simulation.run(simulation.time.elapsedMs + quietMs)
    const restless = simulation.requests - before
    if (restless > atMost) simulation.violated(`${restless} requests with nothing to do`)
  }
}
