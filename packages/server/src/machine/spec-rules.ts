import type { VirtualMachineInstanceSpec } from '@stillpoint/api/kubevirt/kinds'
import type { StatusCause } from '@stillpoint/api/meta/status-error'
import { memoryBytes } from './vmi/machine-spec.ts'

const volumeLimit = 256
const inlineLimitBytes = 2_048

/** Every reason why this spec cannot be run, with the field to change. Spec vm-runtime a.3. */
export function whySpecInvalid(spec: VirtualMachineInstanceSpec, at: string): StatusCause[] {
  return [...diskCauses(spec, at), ...volumeCauses(spec, at), ...networkCauses(spec, at), ...domainCauses(spec, at)]
}

function invalid(field: string, message: string, reason = 'FieldValueInvalid'): StatusCause {
  return { reason, message, field }
}

function duplicates(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))]
}

function diskCauses(spec: VirtualMachineInstanceSpec, at: string): StatusCause[] {
  const disks = spec.domain.devices.disks ?? []
  const field = `${at}.domain.devices.disks`
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name))
  const orders = [...disks, ...(spec.domain.devices.interfaces ?? [])].flatMap(({ bootOrder }) =>
    typeof bootOrder === 'number' ? [`${bootOrder}`] : [],
  )
  return [
    ...disks.flatMap((disk, i) =>
      volumes.has(disk.name) || disk.cdrom
        ? []
        : [invalid(`${field}[${i}].Name`, `${field}[${i}].Name '${disk.name}' not found.`)],
    ),
    ...disks.flatMap((disk, i) =>
      [disk.disk, disk.cdrom, disk.lun].filter((one) => one !== undefined).length > 1
        ? [invalid(`${field}[${i}]`, `${field}[${i}] must have only one device type set`)]
        : [],
    ),
    ...duplicates(disks.map(({ name }) => name)).map((name) =>
      invalid(field, `${field}: disk name '${name}' must be unique`, 'FieldValueDuplicate'),
    ),
    ...duplicates(orders).map((order) => invalid(field, `boot order ${order} is used more than once`)),
  ]
}

function volumeCauses(spec: VirtualMachineInstanceSpec, at: string): StatusCause[] {
  const volumes = spec.volumes ?? []
  const field = `${at}.volumes`
  const disks = new Set((spec.domain.devices.disks ?? []).map(({ name }) => name))
  const filesystems = spec.domain.devices.filesystems as { name?: string }[] | undefined
  for (const { name } of filesystems ?? []) if (name) disks.add(name)
  const causes: StatusCause[] = []
  if (volumes.length > volumeLimit)
    causes.push(invalid(field, `${field} list exceeds the ${volumeLimit} element limit in length`))
  volumes.forEach((volume, i) => {
    const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value !== undefined)
    if (sources.length !== 1)
      causes.push(invalid(`${field}[${i}]`, `${field}[${i}] must have exactly one source type set`))
    if (!disks.has(volume.name) && !volume.memoryDump)
      causes.push(invalid(`${field}[${i}].name`, `${field}[${i}].name '${volume.name}' not found.`))
    for (const source of ['cloudInitNoCloud', 'cloudInitConfigDrive'] as const)
      causes.push(...cloudInitCauses(volume[source] as CloudInit | undefined, `${field}[${i}].${source}`))
  })
  for (const name of duplicates(volumes.map((volume) => volume.name)))
    causes.push(invalid(field, `${field}: volume name '${name}' must be unique`, 'FieldValueDuplicate'))
  return causes
}

interface CloudInit {
  userData?: string
  userDataBase64?: string
  secretRef?: object
  networkData?: string
  networkDataBase64?: string
  networkDataSecretRef?: object
}

function cloudInitCauses(source: CloudInit | undefined, field: string): StatusCause[] {
  if (!source) return []
  const causes: StatusCause[] = []
  const user = [source.userData, source.userDataBase64, source.secretRef].filter((one) => one !== undefined)
  if (user.length !== 1) causes.push(invalid(field, `${field} must have one exactly one userdata source set.`))
  const network = [source.networkData, source.networkDataBase64, source.networkDataSecretRef]
  if (network.filter((one) => one !== undefined).length > 1)
    causes.push(invalid(field, `${field} must have only one networkdata source set.`))
  for (const [name, text, encoding] of [
    ['userData', source.userData, 'utf8'],
    ['userDataBase64', source.userDataBase64, 'base64'],
    ['networkData', source.networkData, 'utf8'],
    ['networkDataBase64', source.networkDataBase64, 'base64'],
  ] as const)
    if (text !== undefined && Buffer.byteLength(text, encoding) > inlineLimitBytes)
      causes.push(
        invalid(`${field}.${name}`, `${field}.${name} exceeds ${inlineLimitBytes} byte limit; put it into a Secret`),
      )
  return causes
}

function networkCauses(spec: VirtualMachineInstanceSpec, at: string): StatusCause[] {
  const networks = (spec.networks ?? []).map(({ name }) => name)
  const interfaces = (spec.domain.devices.interfaces ?? []).map(({ name }) => name)
  return [
    ...networks.flatMap((name, i) =>
      interfaces.includes(name)
        ? []
        : [
            invalid(
              `${at}.networks[${i}].name`,
              `${at}.networks[${i}].name '${name}' not found.`,
              'FieldValueRequired',
            ),
          ],
    ),
    ...interfaces.flatMap((name, i) =>
      networks.includes(name)
        ? []
        : [
            invalid(
              `${at}.domain.devices.interfaces[${i}].name`,
              `${at}.domain.devices.interfaces[${i}].name '${name}' not found.`,
            ),
          ],
    ),
  ]
}

function domainCauses({ domain }: VirtualMachineInstanceSpec, at: string): StatusCause[] {
  const causes: StatusCause[] = []
  try {
    memoryBytes(domain)
  } catch (error) {
    causes.push(
      invalid(
        `${at}.domain.memory.guest`,
        error instanceof Error ? error.message : String(error),
        'FieldValueRequired',
      ),
    )
  }
  const bootloader = domain.firmware?.bootloader as { efi?: { secureBoot?: boolean }; bios?: object } | undefined
  const field = `${at}.domain.firmware.bootloader`
  if (bootloader?.efi && bootloader.bios)
    causes.push(invalid(field, `${field} has both EFI and BIOS configured, but they are mutually exclusive.`))
  const { smm } = (domain.features ?? {}) as { smm?: { enabled?: boolean } }
  if (bootloader?.efi && bootloader.efi.secureBoot !== false && (smm === undefined || smm.enabled === false))
    causes.push(invalid(`${field}.efi.secureBoot`, `${field}.efi.secureBoot has SecureBoot enabled. It requires SMM`))
  return causes
}
