import type { ServingCertificate } from '../webhook/certificate.ts'
import { parseTarget } from '../webhook/target.ts'
import type { WebhookOptions } from '../webhook/webhook.ts'
import { parseListen } from './listen-address.ts'
import { fileOf, mustFit } from './pem-files.ts'

export interface WebhookFlags {
  webhookListen?: string
  webhookUrl?: string
  webhookService?: string
  webhookCert?: string
  webhookKey?: string
  webhookCa?: string
}

/** What the flags ask for; undefined without `--webhook-listen`. Throws with the remedy when they do not fit. */
export async function webhookOptions(flags: WebhookFlags): Promise<Omit<WebhookOptions, 'rules'> | undefined> {
  const { webhookListen, webhookUrl, webhookService, webhookCert, webhookKey, webhookCa } = flags
  if (webhookListen === undefined) {
    if (Object.entries(flags).some(([name, value]) => name.startsWith('webhook') && value !== undefined))
      throw new Error('--webhook-… options need --webhook-listen ADDRESS:PORT, for example 0.0.0.0:9443')
    return undefined
  }
  if ((webhookCert === undefined) !== (webhookKey === undefined))
    throw new Error('--webhook-cert and --webhook-key belong together: give both, or none to have them made')
  if (webhookCa !== undefined && webhookCert === undefined)
    throw new Error('--webhook-ca goes with --webhook-cert: what is made at the start has an authority of its own')
  return {
    listen: parseListen(webhookListen, '--webhook-listen', 9443),
    target: parseTarget(webhookUrl, webhookService),
    ...(webhookCert === undefined || webhookKey === undefined
      ? {}
      : { certificate: await certificateOf(webhookCert, webhookKey, webhookCa) }),
  }
}

async function certificateOf(certFile: string, keyFile: string, caFile?: string): Promise<ServingCertificate> {
  const cert = await fileOf('--webhook-cert', certFile)
  const key = await fileOf('--webhook-key', keyFile)
  const ca = caFile === undefined ? undefined : await fileOf('--webhook-ca', caFile)
  mustFit({ cert, key, ca }, [certFile, keyFile, caFile ?? []].flat())
  return { cert, key, ca }
}
