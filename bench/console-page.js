// Runs in the page: what can be measured only there. Times are milliseconds; of moments, since 1970.

const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
/** Ends when the frame being made is on its way to the screen. */
const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))
const now = () => performance.timeOrigin + performance.now()

const limitMs = 60_000
/** Ends with the promise; fails with what is on the page when that takes too long. */
const limited = (what, promise) => {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const rows = globalThis.bench.rowCount()
      reject(new Error(`${what}: not within ${limitMs} ms; the table has ${rows} rows`))
    }, limitMs)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

globalThis.bench = {
  /** When an element of this test id is painted. Begins to look at once. */
  seen(testId) {
    const there = () => document.querySelector(`[data-test="${testId}"]`) !== null
    const paint = new Promise((resolve) => {
      const look = () => {
        if (!there()) return
        observer.disconnect()
        void painted().then(() => resolve(now()))
      }
      const observer = new MutationObserver(look)
      observer.observe(document.body, { childList: true, subtree: true })
      look()
    })
    return limited(`${testId} on the screen`, paint)
  },

  /** The times between frames for so long. */
  async frames(forMs) {
    const times = []
    let last = await frame()
    const end = last + forMs
    while (last < end) {
      const at = await frame()
      times.push(at - last)
      last = at
    }
    return times
  },

  /** When the table has at least so many rows. */
  filled(rows) {
    const filled = async () => {
      while (globalThis.bench.rowCount() < rows) await painted()
    }
    return limited(`${rows} rows or more`, filled())
  },

  /** From the next key pressed until the table is painted with so many rows. */
  answered(rows) {
    const answer = new Promise((resolve) => {
      const pressed = async () => {
        const began = performance.now()
        do await painted()
        while (globalThis.bench.rowCount() !== rows)
        resolve(performance.now() - began)
      }
      document.addEventListener('keydown', () => void pressed(), { capture: true, once: true })
    })
    return limited(`a key, and ${rows} rows`, answer)
  },

  painted,

  /** Rows of the table, with those that are not drawn; its header is no row here. */
  rowCount: () => Number(document.querySelector('[aria-rowcount]')?.getAttribute('aria-rowcount') ?? 1) - 1,

  /** Compressed bytes of all scripts fetched so far. */
  scriptBytes: () =>
    performance
      .getEntriesByType('resource')
      .filter(({ name }) => name.endsWith('.js'))
      .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0),
}
