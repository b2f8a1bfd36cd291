import pino, { type Logger } from 'pino'

/** JSON lines on standard error; standard output is for what the command has to say. */
export function loggerFor(level: string | undefined): Logger {
  return pino(
    { level: level ?? 'warn', base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
}
