import {
  Alert,
  Button,
  Form,
  FormGroup,
  FormHelperText,
  HelperText,
  HelperTextItem,
  LoginPage,
  TextInput,
} from '@patternfly/react-core'
import { type FormEvent, useEffect, useState } from 'react'
import { signIn } from '../kube/session.ts'
import icon from './icon.svg'

/** The one-time code of a sign-in link. It stands in the fragment, which browsers send to nobody. */
export function takeCode(): string | undefined {
  const code = new URLSearchParams(location.hash.slice(1)).get('code')
  if (code === null) return undefined
  history.replaceState(null, '', `${location.pathname}${location.search}`)
  return code
}

export function SignIn({ code, why }: { code: string | undefined; why: 'expired' | undefined }) {
  const [token, setToken] = useState('')
  const [busy, setBusy] = useState(code !== undefined)
  const [error, setError] = useState<string>()

  useEffect(() => {
    if (code === undefined) return
    let current = true
    void signIn({ code }).then((refused) => {
      if (!current) return
      setBusy(false)
      setError(refused)
    })
    return () => {
      current = false
    }
  }, [code])

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (token.trim() === '') return setError('Paste a token first.')
    setBusy(true)
    setError(await signIn({ token: token.trim() }))
    setBusy(false)
  }

  return (
    <>
      <section aria-label="Stillpoint" className="console-unseen">
        <h1>Stillpoint</h1>
      </section>
      <LoginPage
        brandImgSrc={icon}
        brandImgAlt="Stillpoint"
        loginTitle="Sign in to Stillpoint"
        loginSubtitle="Point-in-time snapshots and restores of virtual machines"
        textContent="Whoever has a token for the Kubernetes API has the same rights here."
      >
        <Form onSubmit={(event) => void submit(event)}>
          {why === 'expired' && error === undefined ? (
            <Alert isInline isPlain variant="info" title="Your session has ended. Sign in again." component="h2" />
          ) : null}
          {error === undefined ? null : <Alert isInline variant="danger" title={error} component="h2" />}
          <FormGroup label="Token" fieldId="token" isRequired>
            <TextInput
              id="token"
              type="password"
              value={token}
              autoComplete="off"
              isRequired
              onChange={(_, value) => setToken(value)}
            />
            <FormHelperText>
              <HelperText>
                <HelperTextItem>
                  On the machine where Stillpoint runs, <code>npx stillpoint console</code> opens this page signed in.
                  For a ServiceAccount: <code>kubectl create token NAME</code>.
                </HelperTextItem>
              </HelperText>
            </FormHelperText>
          </FormGroup>
          <Button type="submit" variant="primary" isBlock isLoading={busy} isDisabled={busy}>
            Sign in
          </Button>
        </Form>
      </LoginPage>
    </>
  )
}
