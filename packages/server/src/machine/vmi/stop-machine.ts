import type { Logger } from 'pino'
import { describeError } from '../../controller/describe-error.ts'
import { delay } from '../../kube/informer.ts'
import type { Freezer } from '../freezer.ts'
import type { Machine } from '../hypervisor/hypervisor.ts'
import { shutdownRepeatMs } from './plan.ts'

/**
 * Asks the guest to end: through the agent where it answers, else by the power button. A paused guest hears neither,
 * and a frozen one refuses to end.
 */
export async function askGuestToEnd(machine: Machine, freezer: Freezer, log: Logger): Promise<void> {
  if (machine.state.kind === 'paused') await machine.run()
  await freezer.thawBefore(machine, 'the guest is to shut down')
  if (machine.agent?.answering)
    try {
      await machine.agent.shutdown('powerdown')
      return
    } catch (error) {
      const message = 'agent did not take the shutdown, pressing the power button'
      log.warn({ machine: machine.id, error: describeError(error) }, message)
    }
  await machine.powerButton()
}

export interface StopOptions {
  freezer: Freezer
  log: Logger
  graceMs: number
}

/** Ends a guest outside the ordinary course, as when this computer is shut down. Returns when its process is gone. */
export async function stopMachine(machine: Machine, { freezer, log, graceMs }: StopOptions): Promise<void> {
  const deadline = Date.now() + graceMs
  const ended = new AbortController()
  const isOver = (): boolean => machine.state.kind === 'ended' || machine.state.kind === 'prelaunch'
  const stop = machine.onStateChange(() => {
    if (isOver()) ended.abort()
  })
  try {
    while (!isOver() && Date.now() < deadline) {
      await askGuestToEnd(machine, freezer, log)
      await delay(Math.min(shutdownRepeatMs, deadline - Date.now()), ended.signal)
    }
  } catch (error) {
    log.warn({ machine: machine.id, error: describeError(error) }, 'guest could not be asked to end')
  } finally {
    stop()
  }
  await machine.end(isOver() ? 'Quit' : 'Killed')
}
