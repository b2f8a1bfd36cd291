import { writeFile } from 'node:fs/promises'
import { buildIso, type IsoFile } from './iso9660.ts'

/** What cloud-init's NoCloud source reads in the guest. */
export interface NoCloudData {
  /** An object is written as JSON, which is YAML too. Should have `instance-id` and `local-hostname`. */
  readonly metaData: object | string
  readonly userData: string | Uint8Array
  readonly networkConfig?: string | Uint8Array | undefined
}

/** The CD image that cloud-init finds by its label `cidata`. The same data gives the same bytes. */
export function noCloudIso({ metaData, userData, networkConfig }: NoCloudData): Buffer {
  const files: IsoFile[] = [
    { path: 'meta-data', content: typeof metaData === 'string' ? metaData : `${JSON.stringify(metaData)}\n` },
    { path: 'user-data', content: userData },
  ]
  if (networkConfig !== undefined) files.push({ path: 'network-config', content: networkConfig })
  return buildIso('cidata', files)
}

export interface ConfigDriveData {
  readonly metaData: object
  readonly userData?: string | Uint8Array | undefined
  readonly networkData?: string | Uint8Array | undefined
}

/** The CD image of the ConfigDrive source, label `config-2`, in OpenStack's layout. */
export function configDriveIso({ metaData, userData, networkData }: ConfigDriveData): Buffer {
  const files: IsoFile[] = [{ path: 'openstack/latest/meta_data.json', content: `${JSON.stringify(metaData)}\n` }]
  if (userData !== undefined) files.push({ path: 'openstack/latest/user_data', content: userData })
  if (networkData !== undefined) files.push({ path: 'openstack/latest/network_data.json', content: networkData })
  return buildIso('config-2', files)
}

/** Writes a CD image that only its owner may read: user data often holds passwords and keys. */
export async function writeIsoFile(path: string, image: Buffer): Promise<void> {
  await writeFile(path, image, { mode: 0o600 })
}
