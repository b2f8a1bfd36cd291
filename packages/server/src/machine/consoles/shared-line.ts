import { Duplex, finished } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { SerialPort } from '../hypervisor/hypervisor.ts'
import { RecentBytes } from './recent-bytes.ts'
import { beyond, fromLineStart, replayable } from './replay.ts'

export const historyBytes = 64 * 1024
/** What a viewer may be behind before output is left out for it. */
const backlogBytes = 1024 * 1024

/**
 * A serial line for several viewers: all see what comes out, all may type. A slow viewer misses something rather than
 * hold up the others or the guest, which would wait for its line.
 */
export class SharedLine {
  readonly #line: Duplex
  readonly #history = new RecentBytes(historyBytes)
  readonly #viewers = new Set<Viewer>()
  #ended = false

  private constructor(line: Duplex, before: readonly Buffer[], onEnd: () => void) {
    this.#line = line
    for (const chunk of before) this.#history.push(chunk)
    line.on('data', (chunk: Buffer) => {
      this.#history.push(chunk)
      for (const viewer of this.#viewers) viewer.show(chunk)
    })
    // However it ends, the guest is gone for those who look.
    finished(line, { writable: false }, () => {
      this.#ended = true
      line.destroy()
      onEnd()
      for (const viewer of this.#viewers) viewer.finish()
    })
  }

  /** Connects to the line and finds out what it said before. */
  static async open(port: SerialPort, onEnd: () => void): Promise<SharedLine> {
    const line = await port.connect()
    const early: Buffer[] = []
    const keep = (chunk: Buffer) => early.push(chunk)
    line.on('data', keep)
    // Told by `finished`.
    line.on('error', () => {})
    try {
      const logged = await port.tail(historyBytes)
      // What is in the log by now was sent to us before that. A turn of the event loop, and we have read it.
      await turn()
      await turn()
      line.off('data', keep)
      return new SharedLine(line, [logged, beyond(logged, Buffer.concat(early))], onEnd)
    } catch (error) {
      line.destroy()
      throw error
    }
  }

  /** One more viewer, who first sees the end of what was there before. */
  join(replayBytes: number): Duplex {
    const viewer = new Viewer(this.#line, this.#history, () => this.#viewers.delete(viewer))
    const tail = this.#history.last(replayBytes)
    const replay = replayable(tail.length < replayBytes ? tail : fromLineStart(tail))
    if (replay.length > 0) viewer.push(replay)
    if (this.#ended) viewer.finish()
    else this.#viewers.add(viewer)
    return viewer
  }

  close(): void {
    this.#line.destroy()
  }
}

class Viewer extends Duplex {
  readonly #line: Duplex
  readonly #history: RecentBytes
  readonly #onGone: () => void
  #behindBytes = 0

  constructor(line: Duplex, history: RecentBytes, onGone: () => void) {
    super({ readableHighWaterMark: backlogBytes })
    this.#line = line
    this.#history = history
    this.#onGone = onGone
  }

  show(chunk: Buffer): void {
    if (this.#behindBytes > 0 || this.readableLength >= backlogBytes) this.#behindBytes += chunk.length
    else this.push(chunk)
  }

  finish(): void {
    this.#catchUp()
    this.push(null)
  }

  override _read(): void {
    this.#catchUp()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // A line that fails has ended, and that is told.
    this.#line.write(chunk, () => done())
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onGone()
    done(error)
  }

  #catchUp(): void {
    if (this.#behindBytes === 0) return
    const missed = this.#history.last(this.#behindBytes)
    const lost = this.#behindBytes - missed.length
    this.#behindBytes = 0
    if (lost > 0) this.push(`\r\n[${lost} bytes left out]\r\n`)
    this.push(missed)
  }
}
