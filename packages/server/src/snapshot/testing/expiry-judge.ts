import { VirtualMachineClone } from '@stillpoint/api/clone/kinds'
import { uidOf } from '@stillpoint/api/meta/object-meta'
import { isLocked, parseExpiresAt } from '@stillpoint/api/snapshot/expiry'
import { expiresAtAnnotation } from '@stillpoint/api/snapshot/keys'
import { VirtualMachineRestore, VirtualMachineSnapshot } from '@stillpoint/api/snapshot/kinds'
import { volumeSnapshotName } from '@stillpoint/api/snapshot/names'
import { PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { Calm } from '../../controller/testing/calm.ts'
import type { Simulation } from '../../controller/testing/simulation.ts'
import { longestWaitMs } from '../expiry-plan.ts'

/** From the look at a snapshot's users until its deletion arrives: an answer and two requests of 3 s each way. */
const lookMs = 10_000
const requestsWhenQuiet = 20
const userKinds = [VirtualMachineRestore, VirtualMachineClone, PersistentVolumeClaim]

/** Watches that no snapshot goes that must stay, and says at the end which ones stay that must go. */
export class ExpiryJudge {
  readonly #simulation: Simulation
  readonly #usedSince = new Map<string, number>()
  /** When users were looked up live. */
  readonly #looks: { atMs: number; plural: string }[] = []
  readonly #readings: { atMs: number; clockMs: number }[] = []
  /** What the controllers' clock is ahead of the time that passes. */
  #aheadMs = 0
  /** Names of snapshots that a user deletes. */
  readonly deleted = new Set<string>()
  /** How many went by themselves. */
  expired = 0

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    const { api, time } = simulation
    const answer = api.answer.bind(api)
    api.answer = (request) => {
      // Those of the informers are of all namespaces.
      const [, plural] = /\/namespaces\/[^/]+\/(\w+)$/.exec(request.path) ?? []
      if (request.method === 'GET' && plural !== undefined) this.#looks.push({ atMs: time.elapsedMs, plural })
      return answer(request)
    }
    api.onCommit(({ object, previous, type }, definition) => {
      if (type === 'ADDED') this.#usedSince.set(uidOf(object), time.elapsedMs)
      if (definition !== VirtualMachineSnapshot || type === 'ADDED' || this.deleted.has(object.metadata.name)) return
      if (type === 'DELETED') simulation.violated(`${object.metadata.name} goes without its finalizer`)
      else if (previous !== undefined && previous.metadata.deletionTimestamp === undefined)
        if (object.metadata.deletionTimestamp !== undefined) this.#onDeletion(previous as VirtualMachineSnapshot)
    })
  }

  /** The clock of the controllers. */
  readonly now = (): Date => {
    const clockMs = this.#simulation.time.nowMs + this.#aheadMs
    this.#readings.push({ atMs: this.#simulation.time.elapsedMs, clockMs })
    return new Date(clockMs)
  }

  /** Somebody sets that clock. */
  jump(ms: number): void {
    this.#aheadMs += ms
  }

  #onDeletion(snapshot: VirtualMachineSnapshot): void {
    this.expired += 1
    const sinceMs = this.#simulation.time.elapsedMs - lookMs
    const seen = this.#readings.filter(({ atMs }) => atMs >= sinceMs).map(({ clockMs }) => clockMs)
    // Whichever of these looks the deletion stands on, it has seen what was there before the first.
    const looks = userKinds.map(({ plural }) => {
      const found = this.#looks.filter((look) => look.plural === plural && look.atMs >= sinceMs)
      return Math.min(...found.map(({ atMs }) => atMs))
    })
    const usedBeforeMs = Math.min(...looks)
    const why = looks.includes(Number.POSITIVE_INFINITY)
      ? 'nobody has looked who uses it'
      : this.#whyNot(snapshot, { clockMs: Math.max(...seen), usedBeforeMs })
    if (why !== undefined) this.#simulation.violated(`${snapshot.metadata.name} is deleted although ${why}`)
  }

  /** Why a snapshot may not be deleted. */
  #whyNot(
    snapshot: VirtualMachineSnapshot,
    { clockMs, usedBeforeMs }: { clockMs: number; usedBeforeMs: number },
  ): string | undefined {
    const text = snapshot.metadata.annotations?.[expiresAtAnnotation]
    if (text === undefined) return 'it has no annotation'
    const due = parseExpiresAt(text)
    if (due === undefined) return `it expires ${text}`
    if (clockMs < due.getTime()) return `it expires in ${due.getTime() - clockMs} ms`
    const { phase = '' } = snapshot.status ?? {}
    if (!['Succeeded', 'Failed'].includes(phase)) return `it is ${phase}`
    if (isLocked(snapshot)) return 'it is locked'
    const users = this.#usersOf(snapshot).filter((uid) => (this.#usedSince.get(uid) ?? 0) < usedBeforeMs)
    return users.length > 0 ? 'it is in use' : undefined
  }

  #usersOf(snapshot: VirtualMachineSnapshot): string[] {
    const { api } = this.#simulation
    const { name } = snapshot.metadata
    const member = volumeSnapshotName(uidOf(snapshot), 'root')
    return [
      ...api
        .list(VirtualMachineRestore)
        .filter(({ spec, status }) => spec.virtualMachineSnapshotName === name && !status?.complete)
        .filter(({ status }) => !status?.conditions?.some(({ type }) => type === 'Failure')),
      ...api
        .list(VirtualMachineClone)
        .filter(({ spec, status }) => spec.source.name === name && status?.phase !== 'Succeeded'),
      ...api
        .list(PersistentVolumeClaim)
        .filter(({ spec, status }) => spec?.dataSource?.name === member && status?.phase !== 'Bound'),
    ].map(uidOf)
  }

  async expectEnd(): Promise<void> {
    const simulation = this.#simulation
    const calm = new Calm(simulation)
    // The last that still has time left gets it at once; the timers learn of it when they look at the clock.
    this.jump(10 * longestWaitMs)
    await simulation.run(simulation.time.elapsedMs + longestWaitMs)
    await calm.converge(() => this.#late())
    await calm.expectQuiet(requestsWhenQuiet)
  }

  #late(): string[] {
    const { api, time } = this.#simulation
    const all = { clockMs: time.nowMs + this.#aheadMs, usedBeforeMs: Number.POSITIVE_INFINITY }
    return api
      .list(VirtualMachineSnapshot)
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .filter((snapshot) => this.#whyNot(snapshot, all) === undefined)
      .map(({ metadata }) => `${metadata.name} has expired and is there`)
  }
}
