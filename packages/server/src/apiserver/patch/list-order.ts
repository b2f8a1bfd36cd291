import { isJsonObject } from '../json.ts'

/**
 * Orders a merged list: elements named by `wanted` in that order, the others as the server had them, the two
 * interleaved so that an element only the server has stays before those it stood before.
 */
export function orderLike(
  merged: readonly unknown[],
  wanted: readonly unknown[],
  server: readonly unknown[],
  mergeKey?: string,
): unknown[] {
  const wantedAt = places(wanted, mergeKey)
  const serverAt = places(server, mergeKey)
  const named = merged.filter((item) => wantedAt(item) >= 0).sort((a, b) => wantedAt(a) - wantedAt(b))
  const others = merged.filter((item) => wantedAt(item) < 0).sort((a, b) => serverAt(a) - serverAt(b))
  const result: unknown[] = []
  let next = 0
  for (const item of named) {
    const place = serverAt(item)
    while (next < others.length && place >= 0 && isBefore(serverAt(others[next]), place)) result.push(others[next++])
    result.push(item)
  }
  return [...result, ...others.slice(next)]
}

function isBefore(place: number, other: number): boolean {
  return place >= 0 && place < other
}

/** Where an element stands in a list; -1 if it does not. */
function places(list: readonly unknown[], mergeKey: string | undefined): (item: unknown) => number {
  const found = new Map<string, number>()
  for (const [index, item] of list.entries()) {
    const id = identity(item, mergeKey)
    if (!found.has(id)) found.set(id, index)
  }
  return (item) => found.get(identity(item, mergeKey)) ?? -1
}

/** What makes two elements the same one: the value of the merge key, or the whole element. */
export function identity(item: unknown, mergeKey: string | undefined): string {
  const keyed = mergeKey !== undefined && isJsonObject(item) && Object.hasOwn(item, mergeKey)
  return JSON.stringify(keyed ? item[mergeKey] : item) ?? ''
}
