import { type Answer, text } from './answer.ts'

const checks = ['ping', 'shutdown'] as const

/** `/healthz`, `/livez`, `/readyz` and their single checks. Undefined for every other path. */
export function healthAnswer(path: string, query: URLSearchParams, ready: boolean): Answer | undefined {
  const match = /^\/(healthz|livez|readyz)(?:\/([a-z]+))?$/.exec(path)
  if (!match) return undefined
  const [, endpoint = '', single] = match
  const known = checks.find((check) => check === single)
  if (single !== undefined && !known) return undefined
  const excluded = query.getAll('exclude')
  const run = (known ? [known] : checks).filter((check) => !excluded.includes(check))
  // Alive is not ready: while closing, only readiness is gone.
  const failed = run.filter((check) => check === 'shutdown' && endpoint === 'readyz' && !ready)
  const lines = run.map((check) => (failed.includes(check) ? `[-]${check} failed: reason withheld` : `[+]${check} ok`))
  if (failed.length > 0) return text(500, `${lines.join('\n')}\n${endpoint} check failed\n`)
  return text(200, query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok')
}

/** The Kubernetes version this server behaves as. */
export const version = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0+stillpoint',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}
