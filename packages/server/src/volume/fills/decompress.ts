import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { describeError } from '../../controller/describe-error.ts'
import { RefusedError } from './fill-error.ts'
import { limitBytes } from './limit-bytes.ts'

/** How a file is packed, by its first bytes. */
export async function packingOf(path: string): Promise<'gz' | 'xz' | undefined> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0)
    const magic = buffer.subarray(0, bytesRead).toString('hex')
    if (magic.startsWith('1f8b')) return 'gz'
    return magic === 'fd377a585a00' ? 'xz' : undefined
  } finally {
    await file.close()
  }
}

/** Unpacks a file into another, of at most `maxBytes`: a small archive may hold a great deal of nothing. */
export async function unpack(
  packing: 'gz' | 'xz',
  from: string,
  to: string,
  { maxBytes, signal }: { maxBytes: number; signal: AbortSignal },
): Promise<void> {
  const limit = limitBytes(maxBytes, `unpacked, the image is larger than the ${maxBytes} bytes the volume can take`)
  const sink = createWriteStream(to, { mode: 0o600 })
  try {
    if (packing === 'gz') await pipeline(createReadStream(from), createGunzip(), limit, sink, { signal })
    else await unpackXz(from, limit, sink, signal)
  } catch (error) {
    if (signal.aborted || error instanceof RefusedError) throw error
    throw new RefusedError(`the image cannot be unpacked (${packing}): ${describeError(error)}`, { cause: error })
  }
}

async function unpackXz(
  from: string,
  limit: ReturnType<typeof limitBytes>,
  sink: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn('xz', ['--decompress', '--stdout', '--memlimit-decompress=512MiB', '--', from], {
    signal,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-1_000)
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new Error("run 'xz'; install xz-utils or use a gz or plain image", { cause })),
    )
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(complaint.trim() || `xz ended with ${code}`)),
    )
  })
  await Promise.all([ended, pipeline(child.stdout, limit, sink, { signal })]).catch((error) => {
    child.kill('SIGKILL')
    throw error
  })
}
