// The freeze guard's own program; freeze-guard.ts describes it. Imports stay few, for it waits in memory for months.
import { flushCompileCache } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { AgentChannel } from './agent-channel.ts'
import { readGuard } from './freeze-guard.ts'
import { type FoundLease, FreezeLeases } from './freeze-lease.ts'
import { thawOnce } from './guest-agent.ts'
import { fateOf } from './linux-process.ts'

const [runtimeDir] = process.argv.slice(2)
if (!runtimeDir) throw new Error('usage: freeze-guard-main <runtime folder>')
const leases = new FreezeLeases(runtimeDir)

process.stdout.on('error', () => {}) // the server may die while it starts us
process.stdin.on('error', () => {})
process.stdin.resume()
process.stdin.once('close', () => void takeOver())
process.stdout.write('ready\n')
// Its usual end is a signal, which would lose the cache.
flushCompileCache()

async function takeOver(): Promise<void> {
  for (;;) {
    const found = await leases.list()
    if (found.length === 0) process.exit(0)
    // Together: a guest that does not answer must not hold up the others.
    await Promise.all(found.map(thawUntilDone))
  }
}

async function thawUntilDone({ folder, lease }: FoundLease): Promise<void> {
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 10_000)) {
    if (await replaced()) process.exit(0)
    if (lease.process && (await fateOf(lease.process)) !== 'running') {
      note(lease.vm, 'is gone, and its freeze with it')
      return await leases.release(folder)
    }
    let channel: AgentChannel | undefined
    try {
      channel = await AgentChannel.connect(lease.agentSocket, { timeoutMs: 2000, replyLimitBytes: 64 * 1024 })
      const turn = await channel.acquire('guest-fsfreeze-thaw', 1000)
      const { count } = await thawOnce(turn, 30_000)
      note(lease.vm, `thawed, ${count} file systems`)
      return await leases.release(folder)
    } catch (err) {
      note(lease.vm, `not thawed yet: ${err instanceof Error ? err.message : String(err)}`)
      // Nobody listens there: without a known process that is the best evidence that QEMU is gone.
      const code = err instanceof Error ? (err.cause as NodeJS.ErrnoException | undefined)?.code : undefined
      if (!lease.process && (code === 'ENOENT' || code === 'ECONNREFUSED')) return await leases.release(folder)
    } finally {
      await channel?.close()
    }
    await delay(pauseMs)
  }
}

/** A new server has its own guard, and thaws by itself. */
async function replaced(): Promise<boolean> {
  const guard = await readGuard(runtimeDir ?? '')
  return guard !== undefined && guard.pid !== process.pid
}

function note(vm: string, what: string): void {
  process.stderr.write(`${new Date().toISOString()} ${vm} ${what}\n`)
}
