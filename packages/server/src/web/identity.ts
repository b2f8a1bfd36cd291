/** As whom the API is asked: by a bearer token, or by whatever the kubeconfig of the console itself holds. */
export type Identity = { readonly kind: 'token'; readonly token: string } | { readonly kind: 'kubeconfig' }

/** Who an identity is, in the words of the API. */
export interface User {
  readonly username: string
  readonly groups: readonly string[]
}
