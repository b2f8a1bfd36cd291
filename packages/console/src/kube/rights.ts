import { useEffect, useState } from 'react'
import { ConnectionError, request } from './client.ts'

// What the signed-in user may do, as the API itself says. Asked once for each right, again after a while.

export interface Right {
  verb: string
  group: string
  resource: string
  subresource?: string
  namespace?: string | undefined
  name?: string
}

/** `undefined` while it is being asked. */
export interface Allowed {
  allowed: boolean | undefined
  /** Which right is missing; for people. */
  reason?: string
}

const keepMs = 60_000
const answers = new Map<string, { at: number; answer: Promise<Allowed> }>()

/** Forgets all answers: they are those of one user. */
export function forgetRights(): void {
  answers.clear()
}

async function ask(right: Right): Promise<Allowed> {
  const { namespace, ...rest } = right
  const resourceAttributes = { ...rest, ...(namespace === undefined ? {} : { namespace }) }
  const review = await request<{ status?: { allowed?: boolean } }>(
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      method: 'POST',
      body: {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes },
      },
    },
  )
  return review.status?.allowed === true ? { allowed: true } : { allowed: false, reason: missing(right) }
}

function missing({ verb, group, resource, subresource, namespace }: Right): string {
  const what = `${resource}${subresource === undefined ? '' : `/${subresource}`}${group === '' ? '' : `.${group}`}`
  const where = namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`
  return `You may not ${verb} ${what} ${where}. Ask an administrator for a role that allows it.`
}

/** Whether the user may do this. A question that fails counts as allowed: the API will say no itself. */
export function useAllowed(right: Right | undefined): Allowed {
  const key = right === undefined ? '' : JSON.stringify(right)
  const [state, setState] = useState<{ key: string; allowed: Allowed }>({ key: '', allowed: { allowed: undefined } })
  useEffect(() => {
    if (key === '') return
    let current = true
    const known = answers.get(key)
    const fresh = known !== undefined && Date.now() - known.at < keepMs
    const entry = fresh ? known : { at: Date.now(), answer: ask(JSON.parse(key) as Right) }
    answers.set(key, entry)
    entry.answer.then(
      (allowed) => current && setState({ key, allowed }),
      (error: unknown) => {
        answers.delete(key)
        if (current && !(error instanceof ConnectionError)) setState({ key, allowed: { allowed: true } })
      },
    )
    return () => {
      current = false
    }
  }, [key])
  return state.key === key ? state.allowed : { allowed: undefined }
}
