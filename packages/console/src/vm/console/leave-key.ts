/** What is said beside a terminal or display: the keys that give the keyboard back to the page. */
export const leaveHint = 'Ctrl-] gives the keyboard back to the page.'

/** The key of virtctl and telnet. On keyboards that have no `]` of its own, the key at its place. */
export function isLeaveKey({ ctrlKey, altKey, metaKey, key, code }: KeyboardEvent): boolean {
  return ctrlKey && !altKey && !metaKey && (key === ']' || code === 'BracketRight')
}
