import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './server.ts'

export interface Share {
  id: string
  uniqueBytes: number
  sharedBytes: number
}

export interface Space {
  storeBytes: number
  volumes: Share[]
  snapshots: Share[]
}

/** What `stillpoint space` says of a server's store. */
export async function spaceOf(server: { dataDir: string }): Promise<Space> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(root, 'packages/server/src/main.ts'),
    'space',
    '--data-dir',
    server.dataDir,
    '--output',
    'json',
  ])
  return JSON.parse(stdout) as Space
}
