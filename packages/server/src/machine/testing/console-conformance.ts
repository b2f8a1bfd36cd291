import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LineBusyError, type Machine } from '../hypervisor/hypervisor.ts'

export interface ConsoleGuest {
  /** Its guest says `>` when it begins, and then whatever is typed. */
  machine: Machine
  close(): Promise<void>
}

export type StartGuest = (has: { serialConsole: boolean; graphics: boolean }) => Promise<ConsoleGuest>

/** What every hypervisor promises of the ways to sit before a guest. */
export function consoleConformance(name: string, start: StartGuest): void {
  describe(`the consoles of ${name}`, () => {
    let guest: ConsoleGuest
    beforeEach(async () => {
      guest = await start({ serialConsole: true, graphics: true })
    })
    afterEach(() => guest.close())

    const serialOf = ({ serial } = guest.machine) => serial ?? expect.fail('no serial port')
    const displayOf = ({ display } = guest.machine) => display ?? expect.fail('no display')
    /** A line on which a guest answers. */
    const begun = async (): Promise<Duplex> => {
      const line = await serialOf().connect()
      await guest.machine.run()
      await until(line, '>')
      return line
    }

    test('a serial line carries what the guest says and what is typed', async () => {
      const line = await begun()
      line.write('hello')
      await until(line, 'hello')
    })

    test('a serial line has room for one, and for the next one then', async () => {
      const line = await begun()
      await expect(serialOf().connect()).rejects.toThrow(LineBusyError)
      line.destroy()
      const next = await serialOf().connect()
      next.write('again')
      await until(next, 'again')
    })

    test('what the guest says is kept, while somebody is connected and while nobody is', async () => {
      const tail = async (limitBytes: number) => (await serialOf().tail(limitBytes)).toString()
      expect(await tail(100)).toBe('')
      await guest.machine.run()
      await expect.poll(() => tail(100), { timeout: 10_000 }).toBe('>')
      const line = await serialOf().connect()
      line.write('hello')
      await until(line, 'hello')
      await expect.poll(() => tail(100), { timeout: 10_000 }).toBe('>hello')
      expect(await tail(3)).toBe('llo')
    })

    test('several may look at the display', async () => {
      const viewers = [await displayOf().connect(), await displayOf().connect()]
      for (const viewer of viewers) await until(viewer, 'RFB 003.008\n')
      for (const viewer of viewers) viewer.destroy()
    })

    test('a picture of the screen is a PNG file', async () => {
      const pictures = await Promise.all([displayOf().screenshot(), displayOf().screenshot()])
      for (const picture of pictures)
        expect(picture.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
    })

    test('all connections end with the machine', async () => {
      const connections = [await begun(), await displayOf().connect()]
      const ends = connections.map((connection) => {
        connection.resume()
        return once(connection, 'end')
      })
      await guest.machine.end('Quit')
      await Promise.all(ends)
    })

    test('what a machine was made without is not there', async () => {
      const bare = await start({ serialConsole: false, graphics: false })
      expect([bare.machine.serial, bare.machine.display]).toEqual([undefined, undefined])
      await bare.close()
    })
  })
}

/** Reads on until this has come. */
async function until(connection: Duplex, wanted: string): Promise<void> {
  let seen = ''
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = (chunk: Buffer) => {
    seen += chunk.toString('latin1')
    if (seen.includes(wanted)) resolve()
  }
  connection.on('data', look)
  await promise
  connection.off('data', look)
}
