import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Event } from '@stillpoint/api/core/event'
import { kinds } from '@stillpoint/api/kinds'
import { VirtualMachine, VirtualMachineInstance } from '@stillpoint/api/kubevirt/kinds'
import { objectOf } from '@stillpoint/api/schema/resource'
import { PersistentVolume, PersistentVolumeClaim } from '@stillpoint/api/storage/kinds'
import { pino } from 'pino'
import { startApiServer } from '../../apiserver/api-server.ts'
import { KubeClient } from '../../kube/client.ts'
import { Informers } from '../../kube/informers.ts'
import { Transport } from '../../kube/transport.ts'
import { machineAdmission } from '../admission.ts'
import { machineControllers } from '../machine-controllers.ts'

const dir = process.argv[2] ?? '/tmp/mc/d'
const log = pino({ level: 'debug' }, pino.destination({ dest: '/tmp/mc/log', sync: true }))
const subresources = new Map()
const api = await startApiServer({
  dataDir: join(dir, 'api'),
  listen: { host: '127.0.0.1', port: 0 },
  resources: kinds,
  admission: machineAdmission,
  subresources,
  log,
})
const connection = {
  server: api.url,
  ca: api.ca,
  authorize: () => ({ authorization: `Bearer ${api.controllerToken}` }),
}
const client = new KubeClient(new Transport(connection))
const informers = new Informers(client, log)
const publisher = {
  nodePublish: async ({ targetPath, volumeId }: { targetPath: string; volumeId: string }) => {
    if (existsSync(targetPath)) return
    if (volumeId === 'root')
      execFileSync('qemu-img', ['convert', '-O', 'raw', '/work/main/.cache/guest/guest.qcow2', targetPath])
    else execFileSync('qemu-img', ['create', '-f', 'raw', targetPath, '64M'])
  },
  nodeUnpublish: async ({ targetPath }: { targetPath: string }) => {
    execFileSync('rm', ['-f', targetPath])
  },
}
const machine = machineControllers(
  { client, informers, log, now: () => new Date() },
  { dataDir: join(dir, 'm'), csi: new Map([['d', publisher]]), nodeName: 'n1' },
)
for (const [k, v] of machine.subresources) subresources.set(k, v)
await informers.start()
const ns = { namespace: 'default', name: 'web' }
const t0 = Date.now()
const say = (text: string) => console.log(`${((Date.now() - t0) / 1000).toFixed(3)} ${text}`)
if (!(await client.find(VirtualMachine, ns))) {
  for (const name of ['root', 'data']) {
    await client.create(
      PersistentVolume,
      objectOf(PersistentVolume, { name }, { spec: { volumeMode: 'Block', csi: { driver: 'd', volumeHandle: name } } }),
    )
    const c = await client.create(
      PersistentVolumeClaim,
      objectOf(
        PersistentVolumeClaim,
        { namespace: 'default', name },
        { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeName: name } },
      ),
    )
    await client.updateStatus(PersistentVolumeClaim, { ...c, status: { phase: 'Bound' } })
  }
  await client.create(
    VirtualMachine,
    objectOf(VirtualMachine, ns, {
      spec: {
        runStrategy: 'Halted',
        template: {
          spec: {
            domain: {
              memory: { guest: '256Mi' },
              devices: {
                disks: [
                  { name: 'root', disk: { bus: 'virtio' } },
                  { name: 'data', disk: { bus: 'virtio' }, serial: 'data' },
                ],
                rng: {},
              },
            },
            volumes: [
              { name: 'root', persistentVolumeClaim: { claimName: 'root' } },
              { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
            ],
          },
        },
      },
    }),
  )
}
const act = (resource: string, subresource: string, body?: unknown) =>
  client.call(
    { group: 'subresources.kubevirt.io', version: 'v1', ...ns, resource, subresource },
    {
      method: ['guestosinfo', 'userlist', 'filesystemlist'].includes(subresource) ? 'GET' : 'PUT',
      ...(body ? { body } : {}),
      timeoutMs: 70000,
    },
  )
async function until(what: string, f: () => Promise<boolean>, limit = 60) {
  for (let i = 0; i < limit * 20; i++) {
    if (await f()) return say(what)
    await new Promise((r) => setTimeout(r, 50))
  }
  say(`NOT: ${what}`)
}
const vmi = () => client.find(VirtualMachineInstance, ns)
const cond = async (type: string, status = 'True') =>
  (await vmi())?.status?.conditions?.some((c) => c.type === type && c.status === status) ?? false
for (const step of (process.argv[3] ?? 'start,agent,freeze,thaw,info,stop,events').split(',')) {
  try {
    const a = performance.now()
    const took = () => `${(performance.now() - a).toFixed(1)} ms`
    if (step === 'start') {
      await act('virtualmachines', 'start')
      say('start accepted')
      await until('Running', async () => (await vmi())?.status?.phase === 'Running')
    } else if (step === 'agent') await until('AgentConnected', () => cond('AgentConnected'))
    else if (step === 'freeze') {
      await act('virtualmachineinstances', 'freeze', { unfreezeTimeout: '30s' })
      say(`frozen ${took()}`)
    } else if (step === 'shortfreeze') {
      await act('virtualmachineinstances', 'freeze', { unfreezeTimeout: '2s' })
      say(`frozen ${took()}`)
    } else if (step === 'thaw') {
      await act('virtualmachineinstances', 'unfreeze')
      say(`thawed ${took()}`)
    } else if (step === 'info') {
      console.log(JSON.stringify(await act('virtualmachineinstances', 'guestosinfo')).slice(0, 1500))
      say(took())
    } else if (step === 'stop') {
      await act('virtualmachines', 'stop')
      say('stop accepted')
      await until('VMI gone', async () => !(await vmi()))
      say((await client.get(VirtualMachine, ns)).status?.printableStatus ?? '')
    } else if (step === 'show')
      console.log(
        JSON.stringify((await vmi())?.status, null, 1),
        JSON.stringify((await client.get(VirtualMachine, ns)).status, null, 1),
      )
    else if (step === 'events')
      for (const e of (await client.list(Event, { namespace: 'default' })).items)
        console.log(`  ${e.lastTimestamp} ${e.involvedObject.kind} ${e.reason}: ${e.message} x${e.count}`)
    else if (step.startsWith('sleep')) await new Promise((r) => setTimeout(r, Number(step.slice(5)) * 1000))
    else if (step === 'exit') process.exit(0)
    else {
      await act('virtualmachineinstances', step)
      say(`${step} ${took()}`)
    }
  } catch (e) {
    say(`${step}: ${(e as Error).message}`)
  }
}
await machine.close()
await informers.close()
await api.close()
process.exit(0)
