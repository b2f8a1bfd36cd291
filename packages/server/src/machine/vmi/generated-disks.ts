import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigMap, Secret } from '@stillpoint/api/core/config'
import type { VirtualMachineInstance, Volume } from '@stillpoint/api/kubevirt/kinds'
import { parseQuantity } from '@stillpoint/api/meta/quantity'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { KubeClient } from '../../kube/client.ts'
import { configDriveIso, noCloudIso, writeIsoFile } from '../../qemu/cloud-init.ts'
import { buildIso, type IsoFile } from '../../qemu/iso9660.ts'
import { firmwareUuid } from '../defaults.ts'
import { hostNameOf } from './machine-spec.ts'

/** A disk that cannot be made because of what the spec names; the message says what to change. */
export class DiskSourceError extends Error {
  constructor(volume: string, problem: string) {
    super(`volume ${volume}: ${problem}`)
    this.name = 'DiskSourceError'
  }
}

interface CloudInitSource {
  userData?: string
  userDataBase64?: string
  secretRef?: { name: string }
  networkData?: string
  networkDataBase64?: string
  networkDataSecretRef?: { name: string }
}

type Bytes = string | Uint8Array

interface AccessCredential {
  sshPublicKey?: {
    source?: { secret?: { secretName?: string } }
    propagationMethod?: { noCloud?: object; configDrive?: object }
  }
}

/** Makes the disks that come from the spec alone, anew at each start: cloud-init, keys and values, empty disks. */
export class GeneratedDisks {
  readonly #client: KubeClient

  constructor(client: KubeClient) {
    this.#client = client
  }

  /** The disks by volume name. The guest may write to them; nothing of it stays. */
  async write(vmi: VirtualMachineInstance, folder: string): Promise<Map<string, { path: string; readOnly: boolean }>> {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const disks = new Map<string, { path: string; readOnly: boolean }>()
    for (const volume of vmi.spec.volumes ?? []) {
      const path = join(folder, volume.name)
      if (volume.emptyDisk) await writeEmptyDisk(volume, path)
      else {
        const image = await this.#image(vmi, volume)
        if (!image) continue
        await writeIsoFile(path, image)
      }
      disks.set(volume.name, { path, readOnly: false })
    }
    return disks
  }

  async #image(vmi: VirtualMachineInstance, volume: Volume): Promise<Buffer | undefined> {
    const namespace = vmi.metadata.namespace ?? 'default'
    if (volume.cloudInitNoCloud) return this.#noCloud(vmi, volume.name, volume.cloudInitNoCloud as CloudInitSource)
    if (volume.cloudInitConfigDrive)
      return this.#configDrive(vmi, volume.name, volume.cloudInitConfigDrive as CloudInitSource)
    const configMap = volume.configMap as { name?: string; optional?: boolean; volumeLabel?: string } | undefined
    if (configMap)
      return buildIso(
        configMap.volumeLabel ?? 'cfgdata',
        await this.#keys(volume.name, ConfigMap, namespace, configMap.name, configMap.optional),
      )
    const secret = volume.secret as { secretName?: string; optional?: boolean; volumeLabel?: string } | undefined
    if (secret)
      return buildIso(
        secret.volumeLabel ?? 'cfgdata',
        await this.#keys(volume.name, Secret, namespace, secret.secretName, secret.optional),
      )
    const sysprep = volume.sysprep as { configMap?: { name?: string }; secret?: { name?: string } } | undefined
    return sysprep ? this.#sysprep(namespace, volume.name, sysprep) : undefined
  }

  // The instance id is a pure function of the spec: another one makes cloud-init treat the guest as a new machine.
  async #noCloud(vmi: VirtualMachineInstance, volume: string, source: CloudInitSource): Promise<Buffer> {
    const publicKeys = await this.#publicKeys(vmi, volume, 'noCloud')
    const networkConfig = await this.#networkData(vmi, volume, source)
    return noCloudIso({
      metaData: {
        'instance-id': firmwareUuid(vmi.spec, vmi.metadata.name),
        'local-hostname': hostNameOf(vmi),
        ...(publicKeys.length > 0
          ? { 'public-keys': Object.fromEntries(publicKeys.map((key, at) => [`${at}`, key])) }
          : {}),
      },
      userData: await this.#userData(vmi, volume, source),
      ...(networkConfig === undefined ? {} : { networkConfig }),
    })
  }

  async #configDrive(vmi: VirtualMachineInstance, volume: string, source: CloudInitSource): Promise<Buffer> {
    const publicKeys = await this.#publicKeys(vmi, volume, 'configDrive')
    const networkData = await this.#networkData(vmi, volume, source)
    const hostname = hostNameOf(vmi)
    return configDriveIso({
      metaData: {
        instance_id: `${vmi.metadata.name}.${vmi.metadata.namespace}`,
        hostname,
        local_hostname: hostname,
        uuid: firmwareUuid(vmi.spec, vmi.metadata.name),
        ...(publicKeys.length > 0
          ? { public_keys: Object.fromEntries(publicKeys.map((key, at) => [`${at}`, key])) }
          : {}),
      },
      userData: await this.#userData(vmi, volume, source),
      ...(networkData === undefined ? {} : { networkData }),
    })
  }

  async #userData(vmi: VirtualMachineInstance, volume: string, source: CloudInitSource): Promise<Bytes> {
    if (source.userData !== undefined) return source.userData
    if (source.userDataBase64 !== undefined) return Buffer.from(source.userDataBase64, 'base64')
    return this.#fromSecret(vmi, volume, source.secretRef?.name, ['userdata', 'userData'])
  }

  async #networkData(vmi: VirtualMachineInstance, volume: string, source: CloudInitSource): Promise<Bytes | undefined> {
    if (source.networkData !== undefined) return source.networkData
    if (source.networkDataBase64 !== undefined) return Buffer.from(source.networkDataBase64, 'base64')
    const name = source.networkDataSecretRef?.name
    return name === undefined ? undefined : this.#fromSecret(vmi, volume, name, ['networkdata', 'networkData'])
  }

  async #fromSecret(
    { metadata }: VirtualMachineInstance,
    volume: string,
    name: string | undefined,
    keys: readonly string[],
  ): Promise<Buffer> {
    if (name === undefined) throw new DiskSourceError(volume, 'neither user data nor a secret that holds it is given')
    const secret = await this.#client.find(Secret, { namespace: metadata.namespace, name })
    if (!secret) throw new DiskSourceError(volume, `secret ${name} does not exist`)
    const value = keys.map((key) => secret.data?.[key]).find((one) => one !== undefined)
    if (value === undefined) throw new DiskSourceError(volume, `secret ${name} has no key ${keys[0]}`)
    return Buffer.from(value, 'base64')
  }

  async #publicKeys(
    { metadata, spec }: VirtualMachineInstance,
    volume: string,
    method: 'noCloud' | 'configDrive',
  ): Promise<string[]> {
    const keys: string[] = []
    for (const { sshPublicKey } of (spec.accessCredentials ?? []) as AccessCredential[]) {
      const name = sshPublicKey?.source?.secret?.secretName
      if (!sshPublicKey?.propagationMethod?.[method] || name === undefined) continue
      const secret = await this.#client.find(Secret, { namespace: metadata.namespace, name })
      if (!secret) throw new DiskSourceError(volume, `secret ${name} of accessCredentials does not exist`)
      for (const value of Object.values(secret.data ?? {}))
        keys.push(
          ...Buffer.from(value, 'base64')
            .toString('utf8')
            .split('\n')
            .filter((line) => line.trim() !== ''),
        )
    }
    return keys
  }

  async #sysprep(
    namespace: string,
    volume: string,
    source: { configMap?: { name?: string }; secret?: { name?: string } },
  ): Promise<Buffer> {
    const files = source.configMap
      ? await this.#keys(volume, ConfigMap, namespace, source.configMap.name)
      : await this.#keys(volume, Secret, namespace, source.secret?.name)
    if (!files.some(({ path }) => /^(auto)?unattend\.xml$/i.test(path)))
      throw new DiskSourceError(volume, 'sysprep needs a key autounattend.xml or unattend.xml')
    return buildIso('unattendCD', files)
  }

  async #keys(
    volume: string,
    definition: typeof ConfigMap | typeof Secret,
    namespace: string,
    name: string | undefined,
    optional = false,
  ): Promise<IsoFile[]> {
    if (name === undefined) throw new DiskSourceError(volume, `names no ${definition.kind}`)
    const object = await this.#client.find(definition as ResourceDefinition, { namespace, name })
    if (!object) {
      if (optional) return []
      throw new DiskSourceError(volume, `${definition.kind} ${name} does not exist`)
    }
    const { data = {}, binaryData = {} } = object as {
      data?: Record<string, string>
      binaryData?: Record<string, string>
    }
    const decode = (values: Record<string, string>): IsoFile[] =>
      Object.entries(values).map(([path, value]) => ({ path, content: Buffer.from(value, 'base64') }))
    if (definition === Secret) return decode(data)
    return [...Object.entries(data).map(([path, content]) => ({ path, content })), ...decode(binaryData)]
  }
}

async function writeEmptyDisk({ name, emptyDisk }: Volume, path: string): Promise<void> {
  const { capacity } = emptyDisk as { capacity?: unknown }
  const bytes = parseQuantity(`${capacity ?? ''}`)
  if (bytes === undefined || bytes < 512) throw new DiskSourceError(name, `emptyDisk.capacity '${capacity}' is no size`)
  const file = await open(path, 'w', 0o600)
  try {
    await file.truncate(Math.ceil(bytes / 512) * 512)
  } finally {
    await file.close()
  }
}
