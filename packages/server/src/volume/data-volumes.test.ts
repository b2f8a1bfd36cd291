import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { objectOf } from '@stillpoint/api/schema/resource'
import { CDIConfig, DataVolume, type DataVolumeSpec, StorageProfile } from '@stillpoint/api/storage/cdi'
import { PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot } from '@stillpoint/api/storage/kinds'
import pino from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { CsiClient } from '../csi/client.ts'
import { Transport } from '../kube/transport.ts'
import { type LayersDriver, startLayersDriver } from '../layers/driver.ts'
import { layeredClassName } from './keys.ts'
import { World } from './testing/world.ts'

const mib = 1024 * 1024
const log = pino({ level: process.env.STILLPOINT_TEST_LOG ?? 'silent' })
/** Content that no disk has by accident. */
const content = randomBytes(2 * mib)

let folder: string
let images: string
let server: Server
let base: string
let requests: string[] = []
let world: World
let driver: LayersDriver
let csi: CsiClient

beforeAll(async () => {
  images = mkdtempSync(join(tmpdir(), 'stillpoint-images-'))
  const image = (name: string): string => join(images, name)
  writeFileSync(image('disk.raw'), content)
  execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', image('disk.raw'), image('disk.qcow2')])
  writeFileSync(image('disk.raw.gz'), gzipSync(content))
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    image('disk.raw'),
    '-F',
    'raw',
    image('overlay.qcow2'),
  ])
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-o',
    `data_file=${image('external.data')},data_file_raw=on`,
    image('external.qcow2'),
    '2M',
  ])
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image('large.qcow2'), '1G'])
  server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const name = (request.url ?? '').slice(1)
    if (name === 'elsewhere') return response.writeHead(302, { location: '/disk.qcow2' }).end()
    if (name === 'local') return response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    if (name === 'circle') return response.writeHead(302, { location: '/circle' }).end()
    if (name === 'flaky' && requests.filter((url) => url === '/flaky').length === 1)
      return response.writeHead(503).end()
    try {
      const body = readFileSync(image(name === 'flaky' ? 'disk.raw' : name))
      response.writeHead(200, { 'content-length': body.length }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.close()
  rmSync(images, { recursive: true })
})

beforeEach(async () => {
  requests = []
  folder = mkdtempSync(join(tmpdir(), 'stillpoint-layers-'))
  mkdirSync(join(folder, 'store'))
  const endpoint = `unix://${join(folder, 'csi.sock')}`
  driver = await startLayersDriver({ endpoint, dataDir: join(folder, 'store'), log })
  csi = await CsiClient.connect(endpoint, { timeoutMs: 10_000 })
  world = await World.create()
  await world.start(csi, { importDirs: [images] })
  await world.until(StorageClass, layeredClassName, () => true)
})
afterEach(async () => {
  await world.close()
  csi.close()
  await driver.close()
  rmSync(folder, { recursive: true, force: true })
})

function create(
  name: string,
  source: NonNullable<DataVolumeSpec['source']>,
  extra: Partial<DataVolumeSpec> = {},
  annotations = {},
) {
  return world.client.create(
    DataVolume,
    objectOf(
      DataVolume,
      { name, namespace: 'default', annotations },
      { spec: { source, storage: { resources: { requests: { storage: '16Mi' } } }, ...extra } },
    ),
  )
}
const succeeded = ({ status }: DataVolume): boolean => status?.phase === 'Succeeded'
const failed = ({ status }: DataVolume): boolean => status?.phase === 'Failed'

/** What a guest would read from the volume of a claim. */
async function bytesOf(claimName: string): Promise<Buffer> {
  const claim = await world.client.get(PersistentVolumeClaim, { namespace: 'default', name: claimName })
  const volume = await world.client.get(PersistentVolume, { name: claim.spec?.volumeName ?? '' })
  const volumeId = volume.spec?.csi?.volumeHandle ?? ''
  const targetPath = join(folder, 'published')
  await csi.nodePublish({ volumeId, targetPath })
  try {
    const { nodes } = JSON.parse(readFileSync(targetPath, 'utf8')) as { nodes: { file: { filename: string } }[] }
    const top = nodes.at(-1)
    expect(top).toBeDefined()
    const chain = nodes.reduce<unknown>(
      (backing, node) => ({
        driver: 'qcow2',
        file: { driver: 'file', filename: node.file.filename },
        backing: backing ?? null,
      }),
      null,
    )
    const raw = join(folder, 'read.raw')
    execFileSync('qemu-img', ['convert', '-U', '-O', 'raw', `json:${JSON.stringify(chain)}`, raw])
    return readFileSync(raw)
  } finally {
    await csi.nodeUnpublish({ volumeId, targetPath })
  }
}

test('a blank disk is bound and succeeds', async () => {
  await create('blank', { blank: {} })
  const dataVolume = await world.until(DataVolume, 'blank', succeeded)
  expect(dataVolume.status).toMatchObject({ claimName: 'blank', progress: '100.0%', restartCount: 0 })
  const claim = await world.client.get(PersistentVolumeClaim, { namespace: 'default', name: 'blank' })
  expect(claim.status).toMatchObject({ phase: 'Bound', capacity: { storage: '16Mi' } })
  expect(claim.metadata.ownerReferences?.[0]).toMatchObject({ kind: 'DataVolume', name: 'blank', controller: true })
})

const imported: Record<string, [string, object]> = {
  'a raw image': ['disk.raw', {}],
  'a qcow2 image': ['disk.qcow2', {}],
  'a gzipped image': ['disk.raw.gz', {}],
  'an image behind a redirect': ['elsewhere', {}],
  'an image with the right checksum': [
    'disk.raw',
    { checksum: `sha256:${createHash('sha256').update(content).digest('hex')}` },
  ],
}
test.each(Object.entries(imported))('%s is imported over http', async (_, [path, more]) => {
  await create('disk', { http: { url: `${base}/${path}`, ...more } })
  await world.until(DataVolume, 'disk', succeeded)
  const bytes = await bytesOf('disk')
  expect(bytes.length).toBe(16 * mib)
  expect(bytes.subarray(0, content.length).equals(content)).toBe(true)
  expect(bytes.subarray(content.length).every((byte) => byte === 0)).toBe(true)
})

test('a server that is down for a moment is asked again', async () => {
  await create('disk', { http: { url: `${base}/flaky` } })
  const dataVolume = await world.until(DataVolume, 'disk', succeeded)
  expect(dataVolume.status?.restartCount).toBe(1)
})

const refused: Record<string, [string, object, RegExp]> = {
  'a file that is not there': ['missing', {}, /404/],
  'a wrong checksum': ['disk.raw', { checksum: `sha256:${'0'.repeat(64)}` }, /checksum of the image is/],
  'a backing file': ['overlay.qcow2', {}, /backing file/],
  'an external data file': ['external.qcow2', {}, /data in another file/],
  'more than the claim holds': ['large.qcow2', {}, /larger than the reported available storage/],
  'a redirect to a local file': ['local', {}, /not an http/],
  'redirects without end': ['circle', {}, /redirects more than/],
}
test.each(Object.entries(refused))('%s fails for good, with the reason', async (_, [path, more, reason]) => {
  await create('disk', { http: { url: `${base}/${path}`, ...more } })
  const { status } = await world.until(DataVolume, 'disk', failed)
  expect(status?.conditions?.find(({ type }) => type === 'Running')).toMatchObject({
    status: 'False',
    reason: 'Error',
    message: expect.stringMatching(reason),
  })
  const claim = await world.client.get(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  expect(claim.status?.phase).toBe('Pending')
  await world.client.delete(DataVolume, { namespace: 'default', name: 'disk' })
  await world.untilGone(PersistentVolumeClaim, 'disk')
  expect(await csi.listVolumes()).toEqual([])
})

test('a local file is imported from the allowed directories only', async () => {
  await create('inside', { http: { url: pathToFileURL(join(images, 'disk.raw')).href } })
  await create('outside', { http: { url: 'file:///etc/passwd' } })
  await world.until(DataVolume, 'inside', succeeded)
  expect((await bytesOf('inside')).subarray(0, content.length).equals(content)).toBe(true)
  const { status } = await world.until(DataVolume, 'outside', failed)
  expect(status?.conditions?.find(({ type }) => type === 'Running')?.message).toContain('files are imported from')
})

test('a claim is cloned, and a snapshot made into a disk', async () => {
  await create('disk', { http: { url: `${base}/disk.qcow2` } })
  await create('clone', { pvc: { name: 'disk' } }, { storage: {} })
  await world.until(DataVolume, 'clone', succeeded)
  expect((await bytesOf('clone')).subarray(0, content.length).equals(content)).toBe(true)
  await world.snapshot('snap', 'disk')
  await world.until(VolumeSnapshot, 'snap', ({ status }) => status?.readyToUse === true)
  await create('restored', { snapshot: { name: 'snap' } }, { storage: {} })
  await world.until(DataVolume, 'restored', succeeded)
  expect((await bytesOf('restored')).subarray(0, content.length).equals(content)).toBe(true)
})

test('an image is uploaded with a token, once', async () => {
  await create('disk', { upload: {} })
  await world.until(DataVolume, 'disk', ({ status }) => status?.phase === 'UploadReady')
  const token = await uploadToken('disk')
  expect((await upload('wrong', content)).code).toBe(401)
  expect((await upload(undefined, content)).code).toBe(400)
  expect(await upload(token, readFileSync(join(images, 'overlay.qcow2')))).toMatchObject({
    code: 400,
    text: expect.stringContaining('backing file'),
  })
  expect(await upload(token, readFileSync(join(images, 'disk.qcow2')))).toMatchObject({ code: 200 })
  await world.until(DataVolume, 'disk', succeeded)
  expect((await bytesOf('disk')).subarray(0, content.length).equals(content)).toBe(true)
  expect((await upload(token, content)).code).toBe(409)
})

test('an existing claim is taken over only where that is allowed', async () => {
  await world.boundClaim('disk')
  await create('disk', { blank: {} })
  const waiting = await world.until(DataVolume, 'disk', ({ status }) => status?.phase === 'Pending')
  expect(waiting.status?.conditions?.find(({ type }) => type === 'Ready')?.reason).toBe('ErrClaimNotValid')
  await world.client.patch(
    DataVolume,
    { namespace: 'default', name: 'disk' },
    { metadata: { annotations: { 'cdi.kubevirt.io/allowClaimAdoption': 'true' } } },
  )
  await world.until(DataVolume, 'disk', succeeded)
  const claim = await world.client.get(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  expect(claim.metadata.annotations?.['cdi.kubevirt.io/storage.populatedFor']).toBe('disk')
})

test('a disk is restored in place: its claim is replaced, and the data volume takes the new one over', async () => {
  await create('disk', { http: { url: `${base}/disk.raw` } })
  await world.until(DataVolume, 'disk', succeeded)
  await world.snapshot('snap', 'disk')
  const snapshot = await world.until(VolumeSnapshot, 'snap', ({ status }) => status?.readyToUse === true)
  const ref = { namespace: 'default', name: 'disk' }
  await world.client.patch(DataVolume, ref, {
    metadata: { annotations: { 'cdi.kubevirt.io/storage.prePopulated': 'disk' } },
  })
  await world.client.delete(PersistentVolumeClaim, ref)
  await world.untilGone(PersistentVolumeClaim, 'disk')
  await world.until(
    DataVolume,
    'disk',
    ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.reason === 'NotFound',
  )
  expect(await world.client.find(PersistentVolumeClaim, ref)).toBeUndefined()
  const source = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' }
  await world.claim(
    'disk',
    {
      resources: { requests: { storage: snapshot.status?.restoreSize ?? '' } },
      dataSource: source,
      dataSourceRef: source,
    },
    { 'cdi.kubevirt.io/storage.populatedFor': 'disk' },
  )
  await world.until(
    PersistentVolumeClaim,
    'disk',
    ({ metadata, status }) => status?.phase === 'Bound' && metadata.ownerReferences?.[0]?.kind === 'DataVolume',
  )
  await world.until(
    DataVolume,
    'disk',
    ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True',
  )
  expect((await bytesOf('disk')).subarray(0, content.length).equals(content)).toBe(true)
})

test('a volume left half-filled by a crash is thrown away and filled anew', async () => {
  await create('disk', { upload: {} })
  await world.until(DataVolume, 'disk', ({ status }) => status?.phase === 'UploadReady')
  await world.stop()
  // What a process leaves that is killed while it writes: a journal, a published volume, and wrong bytes in it.
  const claim = await world.client.get(PersistentVolumeClaim, { namespace: 'default', name: 'disk' })
  const record = JSON.parse(claim.metadata.annotations?.['volume.stillpoint.dev/provisioning'] ?? '') as {
    name: string
    capacityBytes: number
    volumeMode: 'Block'
  }
  const { volumeId } = await csi.createVolume({ ...record })
  const left = join(world.dataDir, 'fills', claim.metadata.uid ?? '')
  mkdirSync(left, { recursive: true })
  const targetPath = join(left, 'volume')
  writeFileSync(join(left, 'journal.json'), JSON.stringify({ driver: 'layers.stillpoint.dev', volumeId, targetPath }))
  await csi.nodePublish({ volumeId, targetPath })
  writeFileSync(`${targetPath}.filling`, '')
  const { topPath } = JSON.parse(readFileSync(targetPath, 'utf8')) as { topPath: string }
  const wrong = join(folder, 'wrong.raw')
  writeFileSync(wrong, Buffer.alloc(16 * mib, 0xee))
  execFileSync('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'qcow2', wrong, topPath])
  await world.start(csi, { importDirs: [images] })
  await world.until(DataVolume, 'disk', ({ status }) => status?.phase === 'UploadReady')
  // The controllers of the new process must have seen the claim, or they answer 503.
  const token = await uploadToken('disk')
  await expect.poll(async () => (await upload(token, content)).code, { timeout: 5_000 }).toBe(200)
  await world.until(DataVolume, 'disk', succeeded)
  const bytes = await bytesOf('disk')
  expect(bytes.subarray(0, content.length).equals(content)).toBe(true)
  expect(bytes.subarray(content.length).every((byte) => byte === 0)).toBe(true)
  expect(await csi.listVolumes()).toHaveLength(1)
})

test('an import that a restart interrupts begins anew and completes', async () => {
  await create('disk', { http: { url: `${base}/disk.raw` } })
  await world.until(PersistentVolumeClaim, 'disk', () => requests.length > 0)
  await world.stop()
  await world.start(csi, { importDirs: [images] })
  await world.until(DataVolume, 'disk', succeeded)
  expect((await bytesOf('disk')).subarray(0, content.length).equals(content)).toBe(true)
})

test('clients find the snapshot class and the upload address where CDI puts them', async () => {
  const profile = await world.until(
    StorageProfile,
    layeredClassName,
    ({ status }) => status?.snapshotClass !== undefined,
  )
  expect(profile.status).toMatchObject({ snapshotClass: layeredClassName, cloneStrategy: 'csi-clone' })
  const config = await world.until(CDIConfig, 'config', ({ status }) => status?.uploadProxyURL !== undefined)
  expect(config.status?.uploadProxyURL).toBe(world.api.url)
})

async function uploadToken(pvcName: string): Promise<string> {
  const answer = (await transport().request({
    method: 'POST',
    path: '/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/default/uploadtokenrequests',
    body: {
      apiVersion: 'upload.cdi.kubevirt.io/v1beta1',
      kind: 'UploadTokenRequest',
      metadata: { generateName: 'token-' },
      spec: { pvcName },
    },
  })) as { status: { token: string } }
  return answer.status.token
}

function transport(): Transport {
  return new Transport({
    server: world.api.url,
    ca: world.api.ca,
    authorize: () => ({ authorization: `Bearer ${world.api.controllerToken}` }),
  })
}

async function upload(token: string | undefined, body: Buffer): Promise<{ code: number; text: string }> {
  const { request } = await import('node:https')
  return new Promise((resolve, reject) => {
    const sent = request(
      `${world.api.url}/v1beta1/upload`,
      {
        method: 'POST',
        ca: world.api.ca,
        agent: false,
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': body.length,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ code: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
        response.on('error', reject)
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}
