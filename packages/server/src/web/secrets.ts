import { hash, randomBytes } from 'node:crypto'

/** A random value of 256 bits, in letters that need no quoting anywhere. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Whether a text has the form of `newSecret`. */
export function isSecret(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9_-]{43}$/.test(text)
}

/** What secrets are kept and looked up by: the time of a look-up then says nothing about the secret itself. */
export function digestOf(secret: string): string {
  return hash('sha256', secret, 'base64url')
}
