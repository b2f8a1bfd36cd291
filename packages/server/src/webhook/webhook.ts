import type { Admission } from '@stillpoint/api/snapshot/admission'
import type { ControllerContext, RunningController } from '../controller/context.ts'
import { makeCertificate, type ServingCertificate } from './certificate.ts'
import { register } from './configuration.ts'
import { webhooksOf } from './paths.ts'
import { readerOf } from './reader.ts'
import { WebhookServer } from './server.ts'
import { namesOf, type Target } from './target.ts'

export interface WebhookOptions {
  /** What is served. */
  rules: readonly Admission[]
  listen: { host: string; port: number }
  /** Made at the start when absent. */
  certificate?: ServingCertificate
  /** Where the API server finds us; absent: nothing is registered. */
  target?: Target | undefined
}

export interface RunningWebhook extends RunningController {
  port: number
  /** PEM of the authority that signed its certificate. */
  ca: string | undefined
}

/**
 * The rules of admission as webhooks, for API servers that do not have them built in. To be called before the
 * informers start; what it returns serves and registers, and is to be called when they have.
 */
export function webhook(context: ControllerContext, options: WebhookOptions): () => Promise<RunningWebhook> {
  const log = context.log.child({ area: 'webhook' })
  const read = readerOf(context.informers)
  const webhooks = webhooksOf(options.rules)
  return async () => {
    const { listen, target } = options
    const certificate = options.certificate ?? (await makeCertificate([...namesOf(target), listen.host], context.now()))
    const { cert, key, ca } = certificate
    const server = new WebhookServer({ listen, cert, key, webhooks, read, log })
    const port = await server.listen()
    try {
      if (target !== undefined) await register(context.client, webhooks, { target, ca })
    } catch (error) {
      await server.close()
      throw error
    }
    log.info({ port, registered: target !== undefined }, 'webhook is served')
    return { port, ca, close: () => server.close() }
  }
}
