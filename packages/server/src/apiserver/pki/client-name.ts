// An upper bound of X.509 for common names and organizations; other programs refuse longer ones.
const longest = 64
const reserved = 'system:'

/** Why a name cannot be that of a user with a certificate; undefined when it can. */
export function whyNotUser(name: string): string | undefined {
  if (name.startsWith(reserved))
    return `names that begin with '${reserved}' are the server's own; for a program, make a ServiceAccount`
  return whyNotName(name)
}

/** The same for a group. `system:masters` may do everything, and for that somebody must be able to name it. */
export function whyNotGroup(name: string): string | undefined {
  if (name.startsWith(reserved) && name !== 'system:masters')
    return `groups that begin with '${reserved}' are the server's own, but for system:masters`
  return whyNotName(name)
}

function whyNotName(name: string): string | undefined {
  if (name === '') return 'a name has at least one letter'
  if ([...name].length > longest) return `a name has at most ${longest} letters`
  if (name !== name.trim() || /\p{C}/u.test(name)) return 'a name has no control characters, and no space at its ends'
  return undefined
}
