import type { Secret } from './config.ts'

/**
 * What a server stores of a secret as a client wrote it: `stringData` goes into `data`, where it wins, and the type is
 * never empty.
 */
export function storedSecret(secret: Secret): Secret {
  const { stringData, ...rest } = secret
  const type = secret.type || 'Opaque'
  if (stringData === undefined) return { ...rest, type }
  const encoded = Object.entries(stringData).map(([key, text]) => [key, base64(text)] as const)
  return { ...rest, type, data: Object.fromEntries([...Object.entries(secret.data ?? {}), ...encoded]) }
}

function base64(text: string): string {
  // Byte by byte: spreading a long secret over the arguments of one call overflows the stack.
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''))
}
