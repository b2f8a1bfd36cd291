import type { Pair } from './certificates.ts'

export interface KubeconfigOptions {
  server: string
  /** PEM of the authority to trust. */
  ca: string
  user: string
  credential: { token: string } | Pair
  namespace?: string
  context?: string
}

/** A kubeconfig for one user; JSON is YAML, but people read this file. */
export function kubeconfig({
  server,
  ca,
  user,
  credential,
  namespace = 'default',
  context = 'stillpoint',
}: KubeconfigOptions): string {
  return `apiVersion: v1
kind: Config
clusters:
- name: stillpoint
  cluster:
    server: ${server}
    certificate-authority-data: ${base64(ca)}
users:
- name: ${scalar(user)}
  user:
${proof(credential)}
contexts:
- name: ${scalar(context)}
  context:
    cluster: stillpoint
    user: ${scalar(user)}
    namespace: ${scalar(namespace)}
current-context: ${scalar(context)}
`
}

function proof(credential: KubeconfigOptions['credential']): string {
  if ('token' in credential) return `    token: ${credential.token}`
  const { cert, key } = credential
  return `    client-certificate-data: ${base64(cert)}\n    client-key-data: ${base64(key)}`
}

/** Quoted unless it is a plain word: a name may be one that YAML takes for something else. */
function scalar(text: string): string {
  return /^(?!true$|false$|null$|yes$|no$|on$|off$|y$|n$)[a-z][\w.@/-]*$/i.test(text) ? text : JSON.stringify(text)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
