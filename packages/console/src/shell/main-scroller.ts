/** The id of the element that scrolls when a page is longer than the window. */
export const mainScrollerId = 'main-content'

export function mainScroller(): HTMLElement | null {
  return document.getElementById(mainScrollerId)
}
