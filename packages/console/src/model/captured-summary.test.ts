import type { VirtualMachineSpec } from '@stillpoint/api/kubevirt/kinds'
import { receiptAnnotation } from '@stillpoint/api/snapshot/keys'
import { expect, test } from 'vitest'
import { capturedSummary } from './captured-summary.ts'
import { content, snapshot } from './testing/objects.ts'

const claimed = (volumeName: string, storage: string) => ({
  volumeName,
  persistentVolumeClaim: { spec: { resources: { requests: { storage } } } },
})
const of = (spec: unknown) =>
  content({
    spec: {
      source: { virtualMachine: { metadata: { name: 'web-1' }, spec: spec as VirtualMachineSpec } },
      volumeBackups: [claimed('root', '20Gi')],
    },
  })
const plain = { template: { spec: { domain: { devices: {} } } } }

test('a definition that says little leaves the rest open', () => {
  expect(capturedSummary(snapshot(), of(plain))).toEqual({
    os: undefined,
    flavor: undefined,
    sshKey: undefined,
    storage: [],
    networking: [],
    hardware: ['BIOS'],
  })
})

test('a content without a definition has no summary', () => {
  expect(capturedSummary(snapshot(), content())).toBeUndefined()
})

test('everything that is there is told, disk by disk and card by card', () => {
  const summary = capturedSummary(
    snapshot(),
    of({
      instancetype: { name: 'u1.small' },
      preference: { name: 'fedora' },
      template: {
        spec: {
          domain: {
            cpu: { cores: 2 },
            memory: { guest: '4Gi' },
            machine: { type: 'q35' },
            firmware: { bootloader: { efi: {} } },
            devices: {
              interfaces: [
                { name: 'default', masquerade: {} },
                { name: 'lan', model: 'e1000e', bridge: {} },
              ],
              tpm: { persistent: true },
              rng: {},
              gpus: [{ name: 'gpu1' }],
            },
          },
          networks: [
            { name: 'default', pod: {} },
            { name: 'lan', multus: { networkName: 'office' } },
          ],
          volumes: [
            { name: 'root', dataVolume: { name: 'web-root' } },
            { name: 'init', cloudInitNoCloud: { userData: '#cloud-config' } },
          ],
          accessCredentials: [{ sshPublicKey: { source: { secret: { secretName: 'keys' } } } }],
        },
      },
    }),
  )
  expect(summary).toEqual({
    os: 'fedora',
    flavor: 'u1.small (2 CPUs, 4Gi)',
    sshKey: 'Secret keys',
    storage: ['root, disk, 20 GiB', 'init, cloud-init'],
    networking: ['default, default network, virtio, masquerade', 'lan, office, e1000e, bridge'],
    hardware: ['Machine type q35', 'EFI', 'TPM with persistent state', 'Random numbers of the host', 'GPU gpu1'],
  })
})

test('what the guest said of itself counts more than what is written beside it', () => {
  const receipt = {
    version: 1,
    snapshotUID: 'snap-uid',
    outcome: 'Succeeded',
    requested: 'Preferred',
    agent: { guestOS: 'Alpine Linux v3.22', answers: [] },
    volumes: [],
  }
  const told = snapshot({ metadata: { annotations: { [receiptAnnotation]: JSON.stringify(receipt) } } })
  expect(capturedSummary(told, of({ ...plain, preference: { name: 'fedora' } }))?.os).toBe('Alpine Linux v3.22')
})

test('keys in cloud-init are told without showing them', () => {
  const volumes = [{ name: 'init', cloudInitNoCloud: { userData: '#cloud-config\nssh_authorized_keys:\n- ssh-rsa A' } }]
  expect(capturedSummary(snapshot(), of({ template: { spec: { domain: { devices: {} }, volumes } } }))?.sshKey).toBe(
    'in cloud-init',
  )
})
