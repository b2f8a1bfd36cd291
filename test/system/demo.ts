import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualMachineSnapshotContent } from '../../packages/api/src/snapshot/kinds.ts'
import { contentName } from '../../packages/api/src/snapshot/names.ts'
import { agentConnected, namespace, shellOf, started, stopped } from './machine.ts'
import { Server } from './server.ts'
import { spaceOf } from './space.ts'

// The main job, shown on a real guest: snapshot a running VM, lose its data, get it back.

interface Row {
  step: string
  tookMs: number
  note: string
  space: string
}

const rows: Row[] = []
const directory = await mkdtemp(join(tmpdir(), 'stillpoint-demo-'))
let server: Server | undefined

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

async function step<T>(name: string, work: () => Promise<{ value: T; note?: string }>): Promise<T> {
  say(`\n── ${name}`)
  const began = performance.now()
  const { value, note } = await work()
  rows.push({
    step: name,
    tookMs: performance.now() - began,
    note: note ?? '',
    space: server ? await space(server) : '',
  })
  return value
}

async function space(of: Server): Promise<string> {
  const { storeBytes, volumes, snapshots } = await spaceOf(of)
  const sum = (list: { uniqueBytes: number }[]): number => list.reduce((all, { uniqueBytes }) => all + uniqueBytes, 0)
  const shared = storeBytes - sum(volumes) - sum(snapshots)
  return `store ${mib(storeBytes)} = volumes ${mib(sum(volumes))} + snapshots ${mib(sum(snapshots))} + shared ${mib(shared)}`
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

async function kubectl(...args: string[]): Promise<string> {
  if (!server) throw new Error('no server')
  say(`$ kubectl ${args.join(' ')}`)
  const output = await server.kubectl(args)
  say(output.trimEnd())
  return output
}

try {
  server = await step('start the server', async () => {
    const value = await Server.start(join(directory, 'data'))
    say(`$ export KUBECONFIG=${value.kubeconfig}`)
    return { value, note: `ready after ${value.startMs.toFixed(0)} ms` }
  })
  const up = server

  await step('create the VM, import its disk, boot it', async () => {
    await kubectl('apply', '-f', 'examples/virtual-machine.yaml')
    await agentConnected(up, 'my-vm')
    await kubectl('get', 'vm,vmi,pvc')
    return { value: undefined, note: 'guest agent connected' }
  })

  const content = randomBytes(48 * 1024)
  const sum = createHash('sha256').update(content).digest('hex')
  await step('write a file of known content, keep a writer running', async () => {
    const shell = await shellOf(up, 'my-vm')
    await shell.must(': >/data/precious.b64')
    const encoded = content.toString('base64')
    for (let at = 0; at < encoded.length; at += 2_000)
      await shell.must(`printf %s '${encoded.slice(at, at + 2_000)}' >>/data/precious.b64`)
    await shell.must('base64 -d /data/precious.b64 >/data/precious && rm /data/precious.b64 && sync')
    const seen = await shell.must('sha256sum </data/precious')
    say(`guest# sha256sum /data/precious\n${seen}`)
    if (!seen.startsWith(sum)) throw new Error(`the guest has written ${seen}, not ${sum}`)
    await shell.must('seqw -d -g 20 /root.seq /data/data.seq')
    shell.close()
    return { value: undefined, note: `${content.length} bytes, sha256 ${sum.slice(0, 12)}…` }
  })

  await step('take an online snapshot', async () => {
    await kubectl('create', '-f', 'examples/snapshot.yaml')
    await kubectl('wait', 'vmsnapshot', 'my-vmsnapshot', '--for', 'condition=Ready', '--timeout=60s')
    await kubectl('get', 'vmsnapshot,vmsnapshotcontent,volumesnapshot')
    const indications = await kubectl(
      'get',
      'vmsnapshot',
      'my-vmsnapshot',
      '-o',
      'jsonpath={range .status.sourceIndications[*]}{.indication}: {.message}{"\\n"}{end}',
    )
    if (!indications.includes('GuestAgent')) throw new Error('the snapshot was not taken with the guest agent')
    const shell = await shellOf(up, 'my-vm')
    const writer = JSON.parse(await shell.must('seqw --status')) as { maxGapMs: number }
    shell.close()
    const uid = (await up.kubectl(['get', 'vmsnapshot', 'my-vmsnapshot', '-o', 'jsonpath={.metadata.uid}'])).trim()
    const report = await up.client.get(VirtualMachineSnapshotContent, { namespace, name: contentName(uid) })
    const frozenMs = frozenFor(report.metadata.annotations)
    say(`frozen for ${frozenMs} ms; the longest a writer in the guest stood still: ${writer.maxGapMs} ms`)
    return { value: undefined, note: `frozen ${frozenMs} ms, writer stood still ${writer.maxGapMs} ms` }
  })

  await step('destroy the data', async () => {
    const shell = await shellOf(up, 'my-vm')
    await shell.must('seqw --stop >/dev/null; rm -rf /data/precious /data/data.seq && sync')
    const { output } = await shell.run('ls -l /data/precious')
    say(`guest# ls -l /data/precious\n${output.trim()}`)
    shell.close()
    return { value: undefined, note: 'file deleted in the guest' }
  })

  await step('stop the VM', async () => {
    await stopped(up, 'my-vm')
    await kubectl('get', 'vm')
    return { value: undefined }
  })

  await step('restore', async () => {
    await kubectl('create', '-f', 'examples/restore.yaml')
    await kubectl('wait', 'vmrestore', 'my-vmrestore', '--for', 'condition=Ready', '--timeout=60s')
    await kubectl('get', 'vmrestore')
    return { value: undefined, note: 'complete' }
  })

  await step('start the VM, prove the content', async () => {
    await started(up, 'my-vm')
    const shell = await shellOf(up, 'my-vm')
    const seen = await shell.must('sha256sum </data/precious')
    say(`guest# sha256sum /data/precious\n${seen}`)
    if (!seen.startsWith(sum)) throw new Error(`restored content is ${seen}, not ${sum}`)
    const encoded = await shell.must('base64 /data/precious')
    if (!Buffer.from(encoded, 'base64').equals(content)) throw new Error('restored content differs')
    const verdict = await shell.must('seqw -r /root.seq /data/data.seq')
    say(`guest# seqw -r /root.seq /data/data.seq\n${verdict}`)
    shell.close()
    return { value: undefined, note: 'byte for byte; both disks from one instant' }
  })

  await step('delete the snapshot', async () => {
    await kubectl('delete', 'vmsnapshot', 'my-vmsnapshot')
    await kubectl('get', 'vmsnapshot,vmsnapshotcontent,volumesnapshot')
    return { value: undefined }
  })

  await step('stop VM and server', async () => {
    await up.stop('SIGUSR2')
    server = undefined
    return { value: undefined }
  })

  say(`\n${table(rows)}`)
} catch (error) {
  process.exitCode = 1
  say(`\nThe demo failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  say(`Log and data are kept in ${directory}`)
  await server?.stop('SIGUSR2')
} finally {
  if (process.exitCode === undefined) await rm(directory, { recursive: true, force: true })
}

function frozenFor(annotations: Record<string, string> | undefined): string {
  const report = JSON.parse(annotations?.['snapshot.stillpoint.dev/freeze-report'] ?? '{}') as { frozenMs?: number }
  if (report.frozenMs === undefined) throw new Error('the snapshot content carries no measured freeze')
  return report.frozenMs.toFixed(0)
}

function table(list: Row[]): string {
  const lines = [
    ['STEP', 'TOOK', 'SPACE AFTERWARDS', 'RESULT'],
    ...list.map((r) => [r.step, `${(r.tookMs / 1_000).toFixed(2)} s`, r.space, r.note]),
  ]
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}
