import { type Duplex, duplexPair } from 'node:stream'
import { type Display, LineBusyError, type SerialPort } from '../hypervisor/hypervisor.ts'

/** A guest that says `>` when it starts, and then whatever is typed. */
export class MemorySerialPort implements SerialPort {
  /** All that was typed. */
  typed = ''
  connects = 0
  /** What connecting fails with. */
  connectError: Error | undefined
  readonly #log: Buffer[] = []
  #guest: Duplex | undefined
  #client: Duplex | undefined

  /** Whether somebody is connected. */
  get taken(): boolean {
    return this.#client !== undefined && !this.#client.destroyed
  }

  print(output: string | Buffer): void {
    this.#log.push(Buffer.from(output))
    if (this.taken) this.#guest?.write(output)
  }

  async connect(): Promise<Duplex> {
    if (this.connectError) throw this.connectError
    if (this.taken) throw new LineBusyError()
    this.connects += 1
    const [client, guest] = duplexPair()
    guest.on('data', (chunk: Buffer) => {
      this.typed += chunk.toString()
      this.print(chunk)
    })
    client.once('close', () => guest.destroy())
    this.#client = client
    this.#guest = guest
    return client
  }

  async tail(limitBytes: number): Promise<Buffer> {
    const log = Buffer.concat(this.#log)
    return log.subarray(Math.max(0, log.length - limitBytes))
  }

  end(): void {
    this.#guest?.end()
  }
}

const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII='

/** A screen of one pixel; its server greets, and repeats what it is sent. */
export class MemoryDisplay implements Display {
  readonly #guests = new Set<Duplex>()

  async connect(): Promise<Duplex> {
    const [client, guest] = duplexPair()
    this.#guests.add(guest)
    client.once('close', () => {
      this.#guests.delete(guest)
      guest.destroy()
    })
    guest.write('RFB 003.008\n')
    guest.on('data', (chunk: Buffer) => guest.write(chunk))
    return client
  }

  async screenshot(): Promise<Buffer> {
    return Buffer.from(pixel, 'base64')
  }

  end(): void {
    for (const guest of this.#guests) guest.end()
  }
}
