/** What no repetition mends: the image, the address or the request itself is at fault. The text says what to change. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}
