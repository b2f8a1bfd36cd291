import { type Origin, originLabel, origins } from '@stillpoint/api/snapshot/keys'
import type { VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'

const words: Record<Origin, string> = {
  manual: 'Manual',
  schedule: 'Schedule',
  'before-restore': 'Before restore',
}

/** How a snapshot came to be taken, by its label; undefined when it does not say. */
export function originOf({ metadata }: VirtualMachineSnapshot): Origin | undefined {
  const label = metadata.labels?.[originLabel]
  return origins.find((origin) => origin === label)
}

export function originText(origin: Origin): string {
  return words[origin]
}

/** The program that made an object, as its managed fields tell; undefined when they do not. */
export function creatorOf({ metadata }: VirtualMachineSnapshot): string | undefined {
  const fields = (metadata.managedFields ?? []) as readonly { manager?: string; time?: string; subresource?: string }[]
  const own = fields.filter(({ manager, subresource }) => manager !== undefined && !subresource)
  return own.toSorted((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1))[0]?.manager
}
