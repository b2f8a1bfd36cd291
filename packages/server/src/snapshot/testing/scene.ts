import { Event } from '@stillpoint/api/core/event'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { Condition } from '@stillpoint/api/meta/condition'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import { type FreezeReport, parseFreezeReport } from '@stillpoint/api/snapshot/freeze-report'
import { freezeReportAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineSnapshot, VirtualMachineSnapshotContent } from '@stillpoint/api/snapshot/kinds'
import { contentName } from '@stillpoint/api/snapshot/names'
import { type Bench, type Process, startBench } from '../../controller/testing/bench.ts'
import { bootVm, FakeGuest, FakeStorage } from '../../controller/testing/fake-guest.ts'
import { type SeededVm, seedStorage, seedVm } from '../../controller/testing/seeds.ts'
import { snapshotControllers } from '../controllers.ts'

type Snapshot = VirtualMachineSnapshot | undefined

export const ready = (snapshot: Snapshot) => snapshot?.status?.readyToUse === true && snapshot
export const failed = (snapshot: Snapshot) => snapshot?.status?.phase === 'Failed' && snapshot

/** `type` → `status reason` of an object's conditions. */
export const conditionsOf = ({ status }: { status?: { conditions?: Condition[] | undefined } | undefined }) =>
  Object.fromEntries((status?.conditions ?? []).map(({ type, status, reason }) => [type, `${status} ${reason}`]))

export const contentRef = (snapshot: VirtualMachineSnapshot) => ({
  namespace: snapshot.metadata.namespace,
  name: contentName(uidOf(snapshot)),
})

/** An API server with storage, and for each test a guest and snapshot controllers that come and go. */
export class Scene {
  readonly bench: Bench
  guest: FakeGuest
  storage: FakeStorage
  process: Process

  private constructor(bench: Bench, guest: FakeGuest, storage: FakeStorage, process: Process) {
    this.bench = bench
    this.guest = guest
    this.storage = storage
    this.process = process
  }

  static async open(): Promise<Scene> {
    const bench = await startBench({ admission: snapshotAdmission })
    await seedStorage(bench)
    const guest = new FakeGuest(bench)
    const storage = await new FakeStorage(bench).start()
    return new Scene(bench, guest, storage, await Scene.#run(bench))
  }

  static #run(bench: Bench, options: Parameters<Bench['run']>[1] = {}): Promise<Process> {
    return bench.run((context) => [snapshotControllers(context)], options)
  }

  /** Ends the controllers; to be followed by `start`. */
  async stop(): Promise<void> {
    await this.process.stop()
  }

  async start(options: Parameters<Bench['run']>[1] = {}): Promise<Process> {
    this.process = await Scene.#run(this.bench, options)
    return this.process
  }

  /** A new guest and new storage, and controllers that know nothing of the last test. */
  async reset(): Promise<void> {
    await this.process.stop()
    await this.storage.close()
    this.guest = new FakeGuest(this.bench)
    this.storage = await new FakeStorage(this.bench).start()
    this.storage.guest = this.guest
    await this.start()
  }

  async close(): Promise<void> {
    await this.process.stop()
    await this.storage.close()
    await this.bench.close()
  }

  until<T>(
    { namespace }: { namespace: string },
    holds: (snapshot: Snapshot) => T | undefined | false,
    { name = 'snap', limitMs }: { name?: string; limitMs?: number } = {},
  ): Promise<T> {
    return this.bench.until(VirtualMachineSnapshot, { namespace, name }, holds, limitMs)
  }

  unlocked(source: SeededVm): Promise<VirtualMachine> {
    return this.bench.until(
      VirtualMachine,
      source,
      (vm) => !vm?.status?.snapshotInProgress && !vm?.metadata.finalizers?.length && vm,
    )
  }

  contentOf(snapshot: VirtualMachineSnapshot): Promise<VirtualMachineSnapshotContent> {
    return this.bench.client.get(VirtualMachineSnapshotContent, contentRef(snapshot))
  }

  async reportOf(snapshot: VirtualMachineSnapshot): Promise<FreezeReport | undefined> {
    const content = await this.contentOf(snapshot)
    return parseFreezeReport(content.metadata.annotations?.[freezeReportAnnotation])
  }

  /** A VM with its guest running. */
  async running(options: Parameters<typeof bootVm>[2] = {}, disks?: string[]): Promise<SeededVm> {
    const source = await seedVm(this.bench, disks ? { disks } : {})
    await bootVm(this.bench, source, { revision: source.revision, ...options })
    return source
  }

  /** `type reason message` of every event in the namespace. */
  async eventsOf({ namespace }: { namespace: string }): Promise<string[]> {
    const { items } = await this.bench.client.list(Event, { namespace })
    return items.map(({ type, reason, message }) => `${type} ${reason} ${message}`)
  }

  /** Waits until an event is there that holds the text. */
  eventWith(namespace: string, text: string): Promise<true> {
    return this.bench.untilAny(
      Event,
      namespace,
      ({ type, reason, message }) => `${type} ${reason} ${message}`.includes(text) || undefined,
    )
  }
}
