import type { Locator, Page } from 'playwright-core'

const mostStops = 200

/** Presses Tab until this element has the focus; rejects when the whole page has been gone through without it. */
export async function tabTo(page: Page, target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  await target.waitFor()
  for (let stop = 0; stop < mostStops; stop++) {
    if (await target.evaluate((element) => element.matches(':focus, :focus-within'))) return
    await page.keyboard.press(key)
  }
  throw new Error(`${target} is not reached by ${mostStops} presses of ${key}`)
}

/** Moves through an open menu with the arrow keys and chooses an item. */
export async function chooseByKeys(page: Page, item: Locator): Promise<void> {
  await item.waitFor()
  for (let step = 0; step < mostStops; step++) {
    if (await item.evaluate((element) => element.matches(':focus'))) {
      await page.keyboard.press('Enter')
      return
    }
    await page.keyboard.press('ArrowDown')
  }
  throw new Error(`${item} is not reached by the arrow keys`)
}
