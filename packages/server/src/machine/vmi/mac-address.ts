import { createHash } from 'node:crypto'

/**
 * A locally administered address that stays the same over restarts and restores of the VM, because guests match
 * their network configuration by it.
 */
export function stableMac(ownerUid: string, interfaceName: string): string {
  const hash = createHash('sha256').update(`${ownerUid}\0${interfaceName}`).digest()
  // 02: locally administered, unicast; the rest of the prefix is KubeVirt's default range.
  return ['02', '00', '00', ...[0, 1, 2].map((at) => hash.readUInt8(at).toString(16).padStart(2, '0'))].join(':')
}

/** The VM's own loopback address, from 127.64.0.0/10: derived from its uid, so it outlives the instance. */
export function loopbackAddress(ownerUid: string, taken: ReadonlySet<string>): string {
  const start = createHash('sha256').update(`loopback\0${ownerUid}`).digest().readUInt32BE(0)
  const size = 2 ** 22
  for (let i = 0; i < size; i += 1) {
    const host = (start + i) % size
    const last = host & 0xff
    if (last === 0 || last === 255) continue
    const address = `127.${64 + (host >>> 16)}.${(host >>> 8) & 0xff}.${last}`
    if (!taken.has(address)) return address
  }
  throw new Error('all loopback addresses for guests are taken')
}
