import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../system/server.ts'
import { violationsOf } from './accessibility.ts'
import type { Console } from './console.ts'
import { startConsole } from './fixture.ts'
import { seedAll } from './states.ts'
import { views } from './views.ts'

// Every page, dialog and state: looked at in light and dark and on a phone, with what axe-core says of it. The pictures
// go to docs/console when SCREENSHOTS is set, and are made, but thrown away, otherwise.

const pictures = join(root, process.env.SCREENSHOTS === undefined ? '.cache/console-pictures' : 'docs/console')
let started: Console

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  started = await startConsole()
  await seedAll(started.client)
})

const looks = [
  { look: 'light', scheme: 'light', width: 1280, height: 900 },
  { look: 'dark', scheme: 'dark', width: 1280, height: 900 },
  { look: 'phone', scheme: 'light', width: 390, height: 844 },
] as const

describe.each(looks)('in $look', ({ look, ...window }) => {
  let signedIn: BrowserContext
  beforeAll(async () => {
    signedIn = (await started.open('/', window)).context()
  })
  afterAll(() => signedIn.close())

  test.each(views)('$name', async ({ name, path, prepare, ready, signedOut }) => {
    const context = signedOut ? await started.context(window) : signedIn
    const page = await context.newPage()
    page.setDefaultTimeout(20_000)
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    try {
      await page.goto(path)
      await ready(page)
      await prepare?.(page)
      await page.screenshot({ path: join(pictures, `${name}-${look}.png`), animations: 'disabled' })
      expect(await violationsOf(page)).toEqual([])
      // Nothing hangs out of the window: what is wide scrolls in itself.
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(window.width)
      expect(problems).toEqual([])
    } finally {
      await (signedOut ? context : page).close()
    }
  })
})
