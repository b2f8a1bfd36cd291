/** One time a snapshot was restored, as its `restored` annotation keeps it after the restore is gone. */
export interface RestoredEntry {
  /** When the restore was complete, RFC 3339. */
  time: string
  /** Name of the virtual machine it was restored into. */
  target: string
  /** UID of that virtual machine. */
  targetUID?: string
  /** Name of the VirtualMachineRestore. */
  restore: string
  /** UID of the VirtualMachineRestore; there is one entry for each. */
  restoreUID?: string
}

/** How many of the newest entries are kept. */
export const restoredLimit = 20

/**
 * The entries of a `restored` annotation, oldest first; what is not one of ours is passed over, because anybody may
 * write annotations.
 */
export function parseRestored(text: string | undefined): RestoredEntry[] {
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return []
  }
  if (!Array.isArray(value)) return []
  return value.flatMap(entryOf).sort(byTime)
}

/**
 * The entries with one more, oldest first, the newest `restoredLimit` of them. Undefined when nothing is to be written:
 * the restore is among them already, or all that is kept is newer than it. Whoever has been dropped stays so.
 */
export function withRestored(
  entries: readonly RestoredEntry[],
  entry: RestoredEntry & { restoreUID: string },
): RestoredEntry[] | undefined {
  if (entries.some(({ restoreUID }) => restoreUID === entry.restoreUID)) return undefined
  const sorted = entries.toSorted(byTime)
  const [oldest] = sorted
  if (oldest !== undefined && sorted.length >= restoredLimit && byTime(entry, oldest) <= 0) return undefined
  return [...sorted, entry].sort(byTime).slice(-restoredLimit)
}

function byTime(a: RestoredEntry, b: RestoredEntry): number {
  return Date.parse(a.time) - Date.parse(b.time)
}

function entryOf(value: unknown): RestoredEntry[] {
  const { time, target, targetUID, restore, restoreUID } = (value ?? {}) as Partial<
    Record<keyof RestoredEntry, unknown>
  >
  if (typeof time !== 'string' || Number.isNaN(Date.parse(time))) return []
  if (typeof target !== 'string' || typeof restore !== 'string') return []
  return [
    {
      time,
      target,
      ...(typeof targetUID === 'string' ? { targetUID } : {}),
      restore,
      ...(typeof restoreUID === 'string' ? { restoreUID } : {}),
    },
  ]
}
