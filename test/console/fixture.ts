import { join } from 'node:path'
import { afterAll } from 'vitest'
import { testDirectory } from '../system/fixtures.ts'
import { Console } from './console.ts'

// Registered while the file is read: what a hook registers in its turn is never called.
const running: Console[] = []
afterAll(async () => {
  for (const each of running) await each.close()
})

/** A server and a browser that end with the tests of the file. */
export async function startConsole(roles?: string): Promise<Console> {
  const started = await Console.start(join(await testDirectory(), 'data'), roles)
  running.push(started)
  return started
}
