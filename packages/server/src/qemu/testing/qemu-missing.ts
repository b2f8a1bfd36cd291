import { spawnSync } from 'node:child_process'

const missing = ['qemu-system-x86_64', 'qemu-img'].filter((program) => spawnSync(program, ['--version']).error)

/** True where the tests with a real QEMU cannot run; says so once per test file. */
export const qemuMissing = missing.length > 0
if (qemuMissing) console.warn(`skipped: ${missing.join(' and ')} not installed (Debian: qemu-system-x86, qemu-utils)`)
