import { randomInt } from 'node:crypto'

/** The letters and digits Kubernetes ends generated names with: no vowels, so that no words come about. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/** Five random characters, for the name of a target that was given none. */
export function newNameSuffix(): string {
  return Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join('')
}
