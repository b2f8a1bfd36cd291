import type { GuestFilesystem, GuestUser } from '../../qemu/guest-facts.ts'
import type { MachineAgent } from '../hypervisor/hypervisor.ts'
import { conflict, type SubresourceCall, type SubresourceHandler } from './answers.ts'
import { Instances, type InstancesOptions } from './instances.ts'

const resource = 'virtualmachineinstances'
const listLimit = 10

/** What the agent tells about the guest: guestosinfo, userlist, filesystemlist. Spec vm-runtime c.3. */
export function guestReads(options: InstancesOptions): Map<string, SubresourceHandler> {
  const instances = new Instances(options)

  async function agentOf(call: SubresourceCall): Promise<MachineAgent> {
    const { machine } = await instances.find(call)
    if (!machine) throw conflict(resource, call.name, 'VMI is not running')
    if (!machine.agent?.answering) throw conflict(resource, call.name, 'VMI does not have guest agent connected')
    return machine.agent
  }

  async function guestOsInfo(call: SubresourceCall): Promise<{ code: number; body: unknown }> {
    const agent = await agentOf(call)
    const frozen = (await agent.freezeStatus()) === 'frozen'
    const info = await agent.info()
    const base = {
      kind: 'VirtualMachineInstanceGuestAgentInfo',
      apiVersion: `subresources.kubevirt.io/${call.version}`,
      guestAgentVersion: info.version,
      supportedCommands: info.commands,
      ...(frozen ? { fsFreezeStatus: 'frozen' } : {}),
    }
    // A frozen agent answers nothing more.
    if (frozen) return { code: 200, body: base }
    const timezone = await agent.timezone()
    const body = {
      ...base,
      hostname: await agent.hostName(),
      os: await agent.osInfo(),
      timezone: `${timezone.zone}, ${timezone.offsetSeconds}`,
      userList: (await agent.users()).slice(0, listLimit).map(userOf),
      fsInfo: { disks: (await agent.fsInfo()).slice(0, listLimit).map(filesystemOf) },
    }
    return { code: 200, body }
  }

  async function userList(call: SubresourceCall): Promise<{ code: number; body: unknown }> {
    const users = await (await agentOf(call)).users()
    return { code: 200, body: listOf('VirtualMachineInstanceGuestOSUserList', call, users.map(userOf)) }
  }

  async function filesystemList(call: SubresourceCall): Promise<{ code: number; body: unknown }> {
    const filesystems = await (await agentOf(call)).fsInfo()
    return { code: 200, body: listOf('VirtualMachineInstanceFileSystemList', call, filesystems.map(filesystemOf)) }
  }

  return new Map([
    ['subresources.kubevirt.io/virtualmachineinstances/guestosinfo', guestOsInfo],
    ['subresources.kubevirt.io/virtualmachineinstances/userlist', userList],
    ['subresources.kubevirt.io/virtualmachineinstances/filesystemlist', filesystemList],
  ])
}

function listOf(kind: string, { version }: SubresourceCall, items: readonly unknown[]): object {
  return { kind, apiVersion: `subresources.kubevirt.io/${version}`, metadata: {}, items }
}

function userOf({ user, domain, loginTimeSeconds }: GuestUser): object {
  return { userName: user, ...(domain === '' ? {} : { domain }), loginTime: loginTimeSeconds }
}

function filesystemOf(filesystem: GuestFilesystem): object {
  return {
    diskName: filesystem.name,
    mountPoint: filesystem.mountpoint,
    fileSystemType: filesystem.type,
    usedBytes: filesystem.usedBytes ?? 0,
    totalBytes: filesystem.totalBytes ?? 0,
    disk: filesystem.disks.map(({ serial, busType }) => ({ ...(serial === '' ? {} : { serial }), busType })),
  }
}
