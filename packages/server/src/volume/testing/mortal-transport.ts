import { type Connection, type HttpRequest, Transport } from '../../kube/transport.ts'

/** Dies after a number of effects: the last one is done, its answer is lost, and nothing works any more until revived. */
export class Mortality {
  #left = Number.POSITIVE_INFINITY
  #died = Promise.withResolvers<void>()
  dead = false

  dieAfter(effects: number): void {
    this.dead = false
    this.#died = Promise.withResolvers()
    this.#left = effects
  }

  get died(): Promise<void> {
    return this.#died.promise
  }

  before(): void {
    if (this.dead) throw new Error('the process is dead')
  }

  after(): void {
    this.#left -= 1
    if (this.#left > 0) return
    this.dead = true
    this.#died.resolve()
    throw new Error('the process died')
  }
}

/** A transport of a process that may die. Events are no effects: nothing depends on them. */
export class MortalTransport extends Transport {
  readonly #mortality: Mortality

  constructor(connection: Connection, mortality: Mortality) {
    super(connection)
    this.#mortality = mortality
  }

  override async request(options: HttpRequest): Promise<unknown> {
    this.#mortality.before()
    const answer = await super.request(options)
    if (options.method !== 'GET' && !options.path.includes('/events')) this.#mortality.after()
    return answer
  }
}
