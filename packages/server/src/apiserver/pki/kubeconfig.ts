/** A kubeconfig for one user with a bearer token; JSON is YAML, but people read this file. */
export function kubeconfig({
  server,
  ca,
  user,
  token,
}: {
  server: string
  ca: string
  user: string
  token: string
}): string {
  return `apiVersion: v1
kind: Config
clusters:
- name: stillpoint
  cluster:
    server: ${server}
    certificate-authority-data: ${Buffer.from(ca).toString('base64')}
users:
- name: ${user}
  user:
    token: ${token}
contexts:
- name: stillpoint
  context:
    cluster: stillpoint
    user: ${user}
    namespace: default
current-context: stillpoint
`
}
