const firstMs = 5
const longestMs = 30_000

/** Milliseconds to wait after the n-th failure in a row: 5 ms doubling to 30 s, with up to a fifth taken off at random. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const full = Math.min(firstMs * 2 ** Math.min(failures - 1, 20), longestMs)
  return full * (1 - 0.2 * random())
}
