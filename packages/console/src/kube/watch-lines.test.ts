import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type WatchEvent, watchEvents } from './watch-lines.ts'

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
}

async function all(body: ReadableStream<Uint8Array>): Promise<WatchEvent[]> {
  const events: WatchEvent[] = []
  for await (const some of watchEvents(body)) events.push(...some)
  return events
}

const event = fc.record({
  type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'),
  object: fc.record({ kind: fc.string(), metadata: fc.record({ name: fc.string({ unit: 'grapheme' }) }) }),
})

test('however the bytes are cut, the events are the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event), fc.array(fc.nat({ max: 40 })), async (events, cuts) => {
      const bytes = new TextEncoder().encode(events.map((each) => `${JSON.stringify(each)}\n`).join(''))
      const chunks: Uint8Array[] = []
      let at = 0
      for (const size of cuts) {
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      chunks.push(bytes.subarray(at))
      expect(await all(streamOf(chunks))).toEqual(events)
    }),
  )
})

test.each(['{"type":"ADDED"}', '{"object":{}}', 'nonsense', 'null', '{"type":"ADDED","object":null}'])(
  'a line that is no event is refused: %s',
  async (line) => {
    await expect(all(streamOf([new TextEncoder().encode(`${line}\n`)]))).rejects.toThrow()
  },
)

test('a line without end is refused before it fills the memory', async () => {
  const chunk = new Uint8Array(1024 * 1024).fill(97)
  const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(chunk) })
  await expect(all(endless)).rejects.toThrow('too long')
})
