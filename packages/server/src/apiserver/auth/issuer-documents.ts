import type { Discovery } from '../http/handler.ts'
import { type AccountTokens, tokenIssuer } from '../pki/account-tokens.ts'

const configurationPath = '/.well-known/openid-configuration'
const keysPath = '/openid/v1/jwks'

export const issuerPaths: readonly string[] = [configurationPath, keysPath]

/**
 * What programs need to check tokens of ServiceAccounts by themselves, as OpenID Connect has it: who signs them, where
 * the keys are, and the keys. Undefined for any other path.
 */
export function issuerDocuments(
  tokens: AccountTokens,
  serverUrl: () => string,
): (path: string) => ReturnType<Discovery> {
  return (path) => {
    switch (path.replace(/\/$/, '')) {
      case configurationPath:
        return {
          contentType: 'application/json',
          body: JSON.stringify({
            issuer: tokenIssuer,
            jwks_uri: serverUrl() + keysPath,
            response_types_supported: ['id_token'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: [tokens.publicKey.alg],
          }),
        }
      case keysPath:
        return { contentType: 'application/jwk-set+json', body: JSON.stringify({ keys: [tokens.publicKey] }) }
      default:
        return undefined
    }
  }
}
