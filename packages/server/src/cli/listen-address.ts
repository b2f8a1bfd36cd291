import { isIP } from 'node:net'

/** `ADDR:PORT`, `[v6]:PORT` or `:PORT` (loopback). Throws with the remedy, naming the option, when it is neither. */
export function parseListen(text: string, option = '--listen', example = 6443): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? (match?.[2] || '127.0.0.1')
  const port = Number(match?.[3])
  const valid = match !== null && port <= 65_535 && (isIP(host) !== 0 || host === 'localhost')
  if (!valid) throw new Error(`${option} '${text}' is not ADDRESS:PORT; for example 127.0.0.1:${example} or [::1]:0`)
  return { host: host === 'localhost' ? '127.0.0.1' : host, port }
}

/** The names given with `--console-host`, as browsers send them. */
export function hostNames(given: readonly string[]): string[] {
  return given.map((name) => {
    if (isIP(name) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(name)) return name.toLowerCase()
    throw new Error(`--console-host '${name}' is not a host name; give it without scheme and port: vm-host.example.com`)
  })
}
