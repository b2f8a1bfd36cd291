import { readFile } from 'node:fs/promises'
import { arch, cpus, hostname, release, totalmem, version } from 'node:os'
import { Node } from '@stillpoint/api/core/node'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { objectOf } from '@stillpoint/api/schema/resource'
import { rfc3339 } from '../controller/conditions.ts'
import type { ControllerContext } from '../controller/context.ts'
import { bootId } from '../qemu/linux-process.ts'

const readText = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim()

/** This computer as the one Node, which tools expect to exist. `hasKvm` shows as an allocatable device. */
export async function publishNode({ client, now }: ControllerContext, name: string, hasKvm: boolean): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': hostname(),
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': arch() === 'x64' ? 'amd64' : arch(),
    'kubevirt.io/schedulable': 'true',
  }
  try {
    await client.create(Node, objectOf(Node, { name, labels }, { spec: {} }))
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  const resources = {
    cpu: `${cpus().length}`,
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    'devices.kubevirt.io/kvm': hasKvm ? '1k' : '0',
  }
  const osRelease = await readText('/etc/os-release')
  const time = rfc3339(now())
  await client.patch(
    Node,
    { name },
    {
      status: {
        capacity: resources,
        allocatable: resources,
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'StillpointReady',
            message: 'virtual machines can be started here',
            lastHeartbeatTime: time,
            lastTransitionTime: time,
          },
        ],
        addresses: [{ type: 'Hostname', address: hostname() }],
        nodeInfo: {
          machineID: await readText('/etc/machine-id'),
          systemUUID: await readText('/sys/class/dmi/id/product_uuid'),
          bootID: await bootId(),
          kernelVersion: release(),
          osImage: /^PRETTY_NAME="?([^"\n]*)/m.exec(osRelease)?.[1] ?? version(),
          containerRuntimeVersion: 'qemu',
          kubeletVersion: 'stillpoint',
          kubeProxyVersion: '',
          operatingSystem: 'linux',
          architecture: arch() === 'x64' ? 'amd64' : arch(),
        },
      },
    },
    { subresource: 'status' },
  )
}
