import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { lastRestoreUidAnnotation, retainedForAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore } from '@stillpoint/api/snapshot/kinds'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Bench, startBench } from '../controller/testing/bench.ts'
import { FakeStorage } from '../controller/testing/fake-guest.ts'
import { seedSnapshot, seedStorage, seedVm, seedVolume, startRestore } from '../controller/testing/seeds.ts'
import { refOf } from '../kube/client.ts'
import { restoreControllers } from './controllers.ts'

let bench: Bench
let storage: FakeStorage

const start = (options: Parameters<Bench['run']>[1] = {}) =>
  bench.run((context) => [restoreControllers(context)], options)

beforeAll(async () => {
  bench = await startBench({ admission: snapshotAdmission })
  await seedStorage(bench)
  storage = await new FakeStorage(bench).start()
})
afterAll(async () => {
  await storage.close()
  await bench.close()
})

const isAsBefore = (volume: PersistentVolume | undefined) =>
  volume?.spec?.persistentVolumeReclaimPolicy === 'Delete' &&
  volume.metadata.annotations?.[retainedForAnnotation] === undefined

test.each([
  ['finished', false],
  ['given up', true],
])(
  'in place, a controller dies at any single write, and the restore is %s',
  { timeout: 120_000 },
  async (_, givenUp) => {
    for (let writes = 3; writes <= 14; writes += 1) {
      const source = await seedVm(bench)
      await seedSnapshot(bench, source.vm)
      const { namespace } = source
      const volume = (await seedVolume(bench, namespace, 'root-claim')).metadata.name
      const restore = await startRestore(bench, source, { volumeRestorePolicy: 'InPlace' })
      const doomed = await start({ writes })
      await doomed.quiet()
      await doomed.stop()
      const halfway = await bench.client.get(VirtualMachineRestore, refOf(restore))
      const switched = (await bench.client.get(VirtualMachine, source)).metadata.annotations?.[lastRestoreUidAnnotation]
      if (givenUp) await bench.client.delete(VirtualMachineRestore, refOf(restore))
      const last = await start()
      await bench.until(VirtualMachineRestore, refOf(restore), (found) =>
        givenUp ? found === undefined : found?.status?.complete,
      )
      await bench.until(PersistentVolume, { name: volume }, isAsBefore)
      await last.stop()
      const claim = await bench.client.get(PersistentVolumeClaim, { namespace, name: 'root-claim' })
      const isNew = !givenUp || switched !== undefined || halfway.status?.complete === true
      expect(claim.spec?.volumeName === volume, `after ${writes} writes`).toBe(!isNew)
      expect(claim.status?.phase).toBe('Bound')
      expect((await bench.client.get(VirtualMachine, source)).status?.restoreInProgress).toBeUndefined()
    }
  },
)
