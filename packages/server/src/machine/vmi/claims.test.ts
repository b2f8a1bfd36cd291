import { VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { expect, test } from 'vitest'
import { volumeReadiness } from './claims.ts'

const nothing = {
  claim: () => undefined,
  dataVolume: () => undefined,
  persistentVolume: () => undefined,
  hasDriver: () => false,
}
const instance = (domain: object, volumes: { name: string; [source: string]: unknown }[] = []) =>
  objectOf(
    VirtualMachineInstance,
    { namespace: 'default', name: 'vm' },
    { spec: { domain: { devices: {}, ...domain }, volumes } },
  )

test.each([
  [{ devices: { tpm: { persistent: true } } }, /TPM state .* remove spec\.domain\.devices\.tpm\.persistent/],
  [{ firmware: { bootloader: { efi: { persistent: true } } } }, /EFI variables .*efi\.persistent/],
])('a guest whose state would be lost is not started: %j', (domain, message) => {
  const [state] = volumeReadiness(instance(domain), nothing)
  expect(state).toMatchObject({ state: 'missing', reason: 'UnsupportedDevice' })
  expect(state).toHaveProperty('message', expect.stringMatching(message))
})

test('a TPM that forgets is no reason to wait', () => {
  expect(volumeReadiness(instance({ devices: { tpm: {} } }), nothing)).toEqual([])
})

test('a volume source that is not offered and a claim that is not there are told with the remedy', () => {
  const states = volumeReadiness(
    instance({}, [
      { name: 'image', containerDisk: { image: 'x' } },
      { name: 'data', persistentVolumeClaim: { claimName: 'c' } },
    ]),
    nothing,
  )
  expect(states).toMatchObject([
    { reason: 'UnsupportedVolume', message: expect.stringContaining('use a data volume') },
    { reason: 'FailedPvcNotFound', message: expect.stringContaining('PVC c') },
  ])
})
