import * as z from 'zod'
import { cookie } from './client.ts'

// Who is signed in. The token itself is the server's secret; here is only whether there is a session.

const session = z.object({
  user: z.object({ username: z.string(), groups: z.array(z.string()).optional() }),
  expires: z.string().optional(),
})
export type Session = z.output<typeof session>

export type SessionState =
  | { kind: 'asking' }
  | { kind: 'signed-in'; session: Session }
  | { kind: 'signed-out'; why?: 'expired' }
  | { kind: 'unreachable' }

let state: SessionState = { kind: 'asking' }
const listeners = new Set<() => void>()

function set(next: SessionState): void {
  state = next
  for (const listener of listeners) listener()
}

export const sessionStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
  get: (): SessionState => state,
}

/** Asks the server whether there is a session. */
export async function loadSession(): Promise<void> {
  try {
    const response = await fetch('/auth/session', { headers: { accept: 'application/json' } })
    if (response.ok) set({ kind: 'signed-in', session: session.parse(await response.json()) })
    else if (response.status === 401) set({ kind: 'signed-out' })
    else set({ kind: 'unreachable' })
  } catch {
    set({ kind: 'unreachable' })
  }
}

/** Signs in with a token or a one-time code. The reason when it is refused. */
export async function signIn(credentials: { token: string } | { code: string }): Promise<string | undefined> {
  let response: Response
  try {
    response = await fetch('/auth/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'X-CSRFToken': cookie('csrf-token') ?? '' },
      body: JSON.stringify(credentials),
    })
  } catch {
    return 'The server cannot be reached.'
  }
  if (response.ok) {
    await loadSession()
    return undefined
  }
  const body: unknown = await response.json().catch(() => undefined)
  const message = z.object({ message: z.string() }).safeParse(body).data?.message
  return message ?? `The server answered ${response.status}.`
}

/** Ends the session here and on the server. */
export async function signOut(): Promise<void> {
  await fetch('/auth/session', { method: 'DELETE', headers: { 'X-CSRFToken': cookie('csrf-token') ?? '' } })
  set({ kind: 'signed-out' })
}

/** The API no longer knows the session. */
export function sessionEnded(): void {
  if (state.kind === 'signed-in') set({ kind: 'signed-out', why: 'expired' })
}
