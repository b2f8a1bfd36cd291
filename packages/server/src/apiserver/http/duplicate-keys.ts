interface Level {
  path: string
  /** Keys seen so far; undefined in an array. */
  keys: Set<string> | undefined
  key: string
  index: number
  expectsKey: boolean
}

/** The paths of keys that occur twice in one object of a JSON text; JSON.parse keeps the last and says nothing. */
export function duplicateKeys(text: string): string[] {
  const found = new Set<string>()
  const levels: Level[] = []
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1)
    switch (text[at]) {
      case '{':
        levels.push({ path: childPath(level), keys: new Set(), key: '', index: 0, expectsKey: true })
        break
      case '[':
        levels.push({ path: childPath(level), keys: undefined, key: '', index: 0, expectsKey: false })
        break
      case '}':
      case ']':
        levels.pop()
        break
      case ',':
        if (level?.keys) level.expectsKey = true
        else if (level) level.index++
        break
      case '"': {
        const end = endOfString(text, at)
        if (level?.keys && level.expectsKey) {
          level.key = JSON.parse(text.slice(at, end + 1)) as string
          level.expectsKey = false
          if (level.keys.has(level.key)) found.add(childPath(level))
          level.keys.add(level.key)
        }
        at = end
        break
      }
      default:
    }
  }
  return [...found]
}

function childPath(level: Level | undefined): string {
  if (!level) return ''
  if (!level.keys) return `${level.path}[${level.index}]`
  return level.path === '' ? level.key : `${level.path}.${level.key}`
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at
}
