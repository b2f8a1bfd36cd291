import { spawn } from 'node:child_process'
import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeFileDurably } from './durable-file.ts'
import { bootId } from './linux-process.ts'

export const accelerators = ['kvm', 'tcg'] as const
export type Accelerator = (typeof accelerators)[number]

export interface AccelVerdict {
  readonly accel: Accelerator
  /** For conditions and logs: why not KVM, or that it was tried. */
  readonly reason: string
}

export interface AccelOptions {
  /** Decides without looking. */
  readonly force?: Accelerator | 'auto' | undefined
  /** Where the verdict is kept for the time until the machine or its kernel is restarted. */
  readonly cacheFile?: string | undefined
  /** For the probe guest, which needs well under a second on a KVM that works. Default 10 s. */
  readonly timeoutMs?: number
  /** Default `qemu-system-x86_64` from the path. */
  readonly program?: string
}

/**
 * Decides how guests run here. A device /dev/kvm proves nothing: inside some virtual machines it opens, answers its
 * version, starts QEMU and then hangs or kills the guest. So KVM counts only if the processor says that it can
 * virtualise, and a throw-away guest then really runs 64-bit code to its end.
 */
export async function decideAccel(options: AccelOptions = {}): Promise<AccelVerdict> {
  const { force = 'auto', cacheFile } = options
  if (force !== 'auto') return { accel: force, reason: 'set by configuration' }
  const key = `${await bootId()} ${release()}`
  const cached = cacheFile === undefined ? undefined : await readVerdict(cacheFile, key)
  if (cached) return cached
  const verdict = await lookAndTry(options)
  if (cacheFile !== undefined) await writeFileDurably(cacheFile, `${JSON.stringify({ key, ...verdict })}\n`)
  return verdict
}

async function lookAndTry(options: AccelOptions): Promise<AccelVerdict> {
  if (!hasVirtualization(await readFile('/proc/cpuinfo', 'utf8')))
    return {
      accel: 'tcg',
      reason: 'the processor offers no virtualisation here (neither vmx nor svm in /proc/cpuinfo)',
    }
  try {
    await access('/dev/kvm', constants.R_OK | constants.W_OK)
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException
    return { accel: 'tcg', reason: `/dev/kvm cannot be opened (${code}); load the kvm module, or join the group kvm` }
  }
  const outcome = await runProbeGuest('kvm', options)
  return outcome.ok
    ? { accel: 'kvm', reason: 'a probe guest ran under KVM' }
    : { accel: 'tcg', reason: `KVM does not work: ${outcome.reason}` }
}

/** Reads /proc/cpuinfo. Only the flags count: the words also occur in names of features and bugs. */
export function hasVirtualization(cpuinfo: string): boolean {
  return cpuinfo.split('\n').some((line) => /^flags\s*:/.test(line) && /\s(vmx|svm)(\s|$)/.test(line))
}

async function readVerdict(path: string, key: string): Promise<AccelVerdict | undefined> {
  const text = await readFile(path, 'utf8').catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return ''
    throw err
  })
  try {
    const cached = JSON.parse(text) as { key?: unknown; accel?: unknown; reason?: unknown }
    const accel = accelerators.find((name) => name === cached.accel)
    if (cached.key === key && accel && typeof cached.reason === 'string') return { accel, reason: cached.reason }
  } catch {
    // Empty or damaged: decide anew and overwrite it.
  }
  return undefined
}

// A boot sector that enters long mode, then does cmpxchg16b, fxsave and fxrstor 200000 times with real operands, and
// writes 42 to the debug exit port (exit code 85), or 21 when a result is wrong. These are the instructions at which
// KVMs that only interpret were seen to fail; the number makes them miss the deadline if they do not.
//
//   cli; ds=es=ss=0; sp=0x7c00; clear 0x1000–0x3fff; page tables: 0x1000 → 0x2000 → 0x3000 → 2 MiB at 0
//   cr4 |= PAE|OSFXSR|OSXMMEXCPT; cr3 = 0x1000; EFER |= LME; lgdt; cr0 = (cr0 & ~EM) | PG|MP|PE; ljmp 8:long
//   long: edi = 200000
//   loop: zero 16 bytes at 0x5000; lock cmpxchg16b 0x5000 (0 → 1); fail unless equal
//         xmm0 = rdi; fxsave 0x6000; xmm0 = 0; fxrstor 0x6000; fail unless xmm0 = rdi; dec edi; loop
//   out 0xf4, 42     fail: out 0xf4, 21; hlt
const probeCode =
  'fa31c08ed88ec08ed0bc007cbf0010b90018fcf3ab66c70600100320000066c70600200330000066c7060030830000000f20e0660d200600' +
  '000f22e066b8001000000f22d866b9800000c00f32660d000100000f300f0116f87c0f20c06683e0fb660d030000800f22c066ea727c0000' +
  '080066b810008ed88ec08ed0bf400d030031c031d2bb0100000031c948890425005000004889042508500000f0480fc70c2500500000752b' +
  '66480f6ec70fae042500600000660fefc00fae0c250060000066480f7ec04839c77508ffcf75b2b02ae6f4b015e6f4f4ebfd660f1f440000' +
  '000000000000000000000000009a200000000000009200001700e07c'
const probeExitCode = 85

/** Runs the probe guest under an accelerator and says whether it got to its end in time. */
export async function runProbeGuest(
  accel: Accelerator,
  { timeoutMs = 10_000, program = 'qemu-system-x86_64' }: Pick<AccelOptions, 'timeoutMs' | 'program'> = {},
): Promise<{ ok: true } | { ok: false; reason: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'stillpoint-probe-'))
  try {
    const sector = Buffer.alloc(512)
    Buffer.from(probeCode, 'hex').copy(sector)
    sector.writeUInt16LE(0xaa55, 510)
    const disk = join(dir, 'disk')
    await writeFile(disk, sector)
    const args = ['-machine', 'pc', '-accel', accel, '-m', '16', '-nodefaults', '-no-user-config', '-display', 'none']
    args.push('-no-reboot', '-device', 'isa-debug-exit,iobase=0xf4,iosize=1')
    args.push('-blockdev', JSON.stringify({ driver: 'file', 'node-name': 'disk', filename: disk }))
    args.push('-device', 'ide-hd,drive=disk')
    return await runToEnd(program, args, timeoutMs)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function runToEnd(
  program: string,
  args: string[],
  timeoutMs: number,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < 2000) stderr += chunk.toString()
    })
    child.once('error', (err) => resolve({ ok: false, reason: err.message }))
    child.once('close', (code, signal) => {
      if (code === probeExitCode) resolve({ ok: true })
      else if (signal === 'SIGKILL')
        resolve({ ok: false, reason: `a probe guest did not answer within ${timeoutMs} ms` })
      else resolve({ ok: false, reason: `a probe guest ended with ${signal ?? code}: ${stderr.trim().slice(-300)}` })
    })
  })
}
