import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type { KubeClient } from '../../kube/client.ts'

/** Makes the disks that come from the spec alone, anew at each start: cloud-init, keys and values, empty disks. */
export class GeneratedDisks {
  readonly #client: KubeClient

  constructor(client: KubeClient) {
    this.#client = client
  }

  async write(vmi: VirtualMachineInstance, folder: string): Promise<Map<string, { path: string; readOnly: boolean }>> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const disks = new Map<string, { path: string; readOnly: boolean }>()
    for (const volume of vmi.spec.volumes ?? []) {
      const path = join(folder, volume.name)
      if (volume.emptyDisk) {
        await emptyDisk(path, (volume.emptyDisk as { capacity?: unknown }).capacity)
        disks.set(volume.name, { path, readOnly: false })
      }
    }
    void this.#client
    return disks
  }
}

async function emptyDisk(path: string, capacity: unknown): Promise<void> {
  const bytes = parseQuantity(`${capacity ?? ''}`)
  if (bytes === undefined || bytes < 512) throw new Error(`emptyDisk: '${capacity}' is no size`)
  const file = await open(path, 'w', 0o600)
  try {
    await file.truncate(Math.ceil(bytes / 512) * 512)
  } finally {
    await file.close()
  }
}
