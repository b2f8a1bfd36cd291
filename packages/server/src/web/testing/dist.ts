import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const script = `${'console.log("a script worth compressing")\n'.repeat(200)}`
export const indexHtml =
  '<!doctype html><title>Console</title><script type="module" src="/assets/main-1a2b.js"></script>'

/** A folder with what Vite makes of the console, small. */
export async function makeDist(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'stillpoint-dist-'))
  const dist = join(parent, 'dist')
  await mkdir(join(dist, 'assets'), { recursive: true })
  await writeFile(join(parent, 'secret.js'), 'not to be seen')
  await writeFile(join(dist, '.stamp'), 'not to be seen')
  await writeFile(join(dist, 'index.html'), indexHtml)
  await writeFile(join(dist, 'icon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>')
  await writeFile(join(dist, 'assets/main-1a2b.js'), script)
  await writeFile(join(dist, 'assets/font-3c4d.woff2'), Buffer.alloc(4_096, 7))
  return dist
}
