import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { LineBusyError } from '../hypervisor/hypervisor.ts'
import { MemorySerialPort } from '../testing/memory-consoles.ts'
import { SerialConsoles } from './serial-consoles.ts'

let port: MemorySerialPort
let consoles: SerialConsoles
beforeEach(() => {
  port = new MemorySerialPort()
  consoles = new SerialConsoles(20)
})

const join = (tailBytes = 16 * 1024) => consoles.join('m', port, tailBytes)

/** What a viewer has shown, once it ends with this. */
async function until(viewer: Duplex, wanted: string): Promise<string> {
  let seen = ''
  const { promise, resolve } = Promise.withResolvers<string>()
  viewer.on('data', (chunk: Buffer) => {
    seen += chunk.toString()
    if (seen.endsWith(wanted)) resolve(seen)
  })
  return promise
}
async function left(viewer: Duplex): Promise<void> {
  const closed = once(viewer, 'close')
  viewer.destroy()
  await closed
}

describe('viewers of a serial line', () => {
  test('all see what comes out, and all may type', async () => {
    const [one, two] = [await join(), await join()]
    const shown = Promise.all([until(one, 'root!'), until(two, 'root!')])
    port.print('login: ')
    const typed = until(one, 'root')
    two.write('root')
    await typed
    one.write('!')
    expect(await shown).toEqual(['login: root!', 'login: root!'])
    expect(port.typed).toBe('root!')
  })

  test('first see the end of what was there before, each once', async () => {
    port.print('long ago\nbooted\nlogin: ')
    const one = await join(12)
    expect(await until(one, 'login: ')).toBe('login: ')
    const more = until(one, '# ')
    port.print('root\n# ')
    await more
    const two = await join()
    expect(await until(two, '# ')).toBe('long ago\nbooted\nlogin: root\n# ')
    const shown = until(await join(0), 'date')
    port.print('date')
    expect(await shown).toBe('date')
  })

  test('see each byte once, whenever they come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('print', 'turn', 'join', 'leave'), { maxLength: 20 }),
        async (deeds) => {
          port = new MemorySerialPort()
          consoles = new SerialConsoles(20)
          let all = ''
          let count = 0
          const viewers: { viewer: Promise<Duplex>; seen: string }[] = []
          for (const deed of deeds)
            if (deed === 'print') {
              const text = `<${count++}>`
              all += text
              port.print(text)
            } else if (deed === 'turn') await new Promise((resolve) => setImmediate(resolve))
            else if (deed === 'join') {
              const entry = { viewer: join(), seen: '' }
              viewers.push(entry)
              void entry.viewer.then((viewer) => viewer.on('data', (chunk) => (entry.seen += String(chunk))))
            } else await viewers.pop()?.viewer.then(left)
          const last = '<end>'
          await Promise.all(viewers.map(({ viewer }) => viewer))
          port.print(last)
          for (const entry of viewers) {
            while (!entry.seen.endsWith(last)) await new Promise((resolve) => setImmediate(resolve))
            expect(entry.seen).toBe(all + last)
            await left(await entry.viewer)
          }
        },
      ),
    )
  })

  test('keep the line only while they look', async () => {
    const [one, two] = [await join(), await join()]
    await left(one)
    expect(port.taken).toBe(true)
    two.write('exit')
    await left(two)
    // Not at once, for the guest may still be reading.
    expect(port.taken).toBe(true)
    await expect.poll(() => port.taken, { interval: 5 }).toBe(false)
    expect(port.typed).toBe('exit')
    port.print('meanwhile\n')
    expect(await until(await join(), 'meanwhile\n')).toBe('exitmeanwhile\n')
  })

  test('keep it when one comes as another goes, and let go of it at the end of all', async () => {
    await left(await join())
    const shown = until(await join(), 'hello')
    port.print('hello')
    expect([await shown, port.connects]).toEqual(['hello', 1])
    consoles.close()
    expect(port.taken).toBe(false)
  })

  test('end with the line', async () => {
    const viewers = [await join(), await join()]
    for (const viewer of viewers) viewer.resume()
    const ends = viewers.map((viewer) => once(viewer, 'end'))
    port.end()
    await Promise.all(ends)
    port = new MemorySerialPort()
    port.print('again')
    expect(await until(await join(), 'again')).toBe('again')
  })

  test('are told when the line is taken by somebody else, and may come again', async () => {
    const other = await port.connect()
    await expect(join()).rejects.toThrow(LineBusyError)
    await left(other)
    await left(await join())
  })

  test('that are slow miss something, and hold up neither the guest nor each other', async () => {
    const [slow, quick] = [await join(), await join()]
    const line = 'x'.repeat(1023)
    let seen = 0
    quick.on('data', (chunk: Buffer) => {
      seen += chunk.length
    })
    const count = 4 * 1024
    for (let index = 0; index < count; index++) {
      port.print(`${line}\n`)
      if (index % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    port.print('the end')
    while (seen < count * 1024) await once(quick, 'data')
    const shown = await until(slow, 'the end')
    expect(shown.length).toBeLessThan(2 * 1024 * 1024)
    const [, lost] = /\r\n\[(\d+) bytes left out\]\r\n/.exec(shown) ?? []
    const notice = `\r\n[${lost} bytes left out]\r\n`
    expect(shown.length - notice.length + Number(lost)).toBe(count * 1024 + 'the end'.length)
    expect(shown.endsWith(`${line}\nthe end`)).toBe(true)
  })

  test('that are a little behind miss nothing', async () => {
    const slow = await join()
    for (let index = 0; index < 1024 + 40; index++) port.print(`${'x'.repeat(1023)}\n`)
    port.print('the end')
    await new Promise((resolve) => setImmediate(resolve))
    const shown = await until(slow, 'the end')
    expect(shown.length).toBe(1064 * 1024 + 'the end'.length)
  })
})
