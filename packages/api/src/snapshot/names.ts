// Names of derived objects: spec snapshot-restore (a.8). Derived from the parent's UID, so that a repeated
// create answers AlreadyExists instead of making a second object.

export const contentName = (snapshotUid: string): string => `vmsnapshot-content-${snapshotUid}`
export const volumeSnapshotName = (snapshotUid: string, volume: string): string =>
  `vmsnapshot-${snapshotUid}-volume-${volume}`
export const restoredClaimName = (restoreUid: string, volume: string): string => `restore-${restoreUid}-${volume}`
export const startRevisionName = (vmUid: string, generation: number): string =>
  `revision-start-vm-${vmUid}-${generation}`
export const lastRestoreUid = (restoreName: string, restoreUid: string): string => `${restoreName}-${restoreUid}`

/** `base-suffix`, cut to `max` characters with a hash in it when too long. */
export function shorten(base: string, suffix: string, max = 63): string {
  const whole = `${base}-${suffix}`
  if (whole.length <= max) return whole
  const kept = max - 10 - suffix.length
  return kept > 0
    ? `${base.slice(0, kept)}-${fnv1a(base)}-${suffix}`
    : `${base.slice(0, Math.min(base.length, max - 9))}-${fnv1a(whole)}`
}

/** 32-bit FNV-1a over the UTF-8 bytes, as eight lower-case hex digits. */
export function fnv1a(text: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash.toString(16).padStart(8, '0')
}
