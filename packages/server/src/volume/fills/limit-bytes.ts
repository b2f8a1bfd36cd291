import { Transform, type TransformCallback } from 'node:stream'
import { RefusedError } from './fill-error.ts'

/** Passes bytes on, up to a number of them; more is refused with `message`. */
export function limitBytes(
  maxBytes: number,
  message: string,
  onBytes: (total: number, chunk: Buffer) => void = () => {},
): Transform {
  let total = 0
  return new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
      total += chunk.length
      if (total > maxBytes) {
        done(new RefusedError(message))
        return
      }
      onBytes(total, chunk)
      done(null, chunk)
    },
  })
}
