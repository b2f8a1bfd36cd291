import { clusterKinds } from '@stillpoint/api/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import { isAlreadyExists } from '@stillpoint/api/meta/status-error'
import { looseObject } from '@stillpoint/api/schema/fields'
import { type ObjectOf, objectOf, resource } from '@stillpoint/api/schema/resource'
import * as z from 'zod'
import type { KubeClient } from '../kube/client.ts'
import type { Webhook } from './paths.ts'
import type { Target } from './target.ts'

const group = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  scope: 'Cluster',
  origin: 'builtin',
} as const
const fields = { webhooks: z.array(looseObject).optional() }

export const ValidatingWebhookConfiguration = resource({
  ...group,
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  description: 'Webhooks that may refuse writes.',
  fields,
})
export const MutatingWebhookConfiguration = resource({
  ...group,
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  description: 'Webhooks that may change what is written.',
  fields,
})
type Configuration = typeof ValidatingWebhookConfiguration | typeof MutatingWebhookConfiguration

/** The name of both configurations. */
export const configurationName = 'snapshot.stillpoint.dev'
const timeoutSeconds = 10

/** The webhooks of a configuration. Versions other than the one named are converted by the API server. */
export function configured(webhooks: readonly Webhook[], target: Target, ca: string | undefined): object[] {
  return webhooks.map(({ name, path, rule, does }) => {
    const definition = [VirtualMachine, ...clusterKinds].find(
      (kind) => kind.group === rule.group && kind.plural === rule.resource,
    )
    if (definition === undefined) throw new Error(`no kind ${rule.resource}.${rule.group}`)
    // The locks hold for the status as well; nothing else has to say anything about it.
    const resources = definition === VirtualMachine ? [rule.resource, `${rule.resource}/status`] : [rule.resource]
    return {
      name,
      clientConfig: {
        ...('url' in target
          ? { url: target.url + path }
          : { service: { namespace: target.service.namespace, name: target.service.name, path, port: 443 } }),
        ...(ca === undefined ? {} : { caBundle: Buffer.from(ca).toString('base64') }),
      },
      rules: [
        {
          apiGroups: [rule.group],
          apiVersions: [definition.version],
          resources,
          operations: rule.operations.filter((operation) => operation !== 'DELETE'),
          scope: definition.scope === 'Cluster' ? 'Cluster' : 'Namespaced',
        },
      ],
      // A lock that is not looked at is none.
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      sideEffects: 'None',
      timeoutSeconds,
      admissionReviewVersions: ['v1'],
      ...(does === 'mutate' ? { reinvocationPolicy: 'Never' } : {}),
    }
  })
}

/** Makes the API server ask us: creates both configurations, or brings them up to date. */
export async function register(
  client: KubeClient,
  webhooks: readonly Webhook[],
  { target, ca }: { target: Target; ca: string | undefined },
): Promise<void> {
  const of = (does: Webhook['does']) =>
    configured(
      webhooks.filter((webhook) => webhook.does === does),
      target,
      ca,
    )
  await write(client, MutatingWebhookConfiguration, of('mutate'))
  await write(client, ValidatingWebhookConfiguration, of('validate'))
}

async function write(client: KubeClient, definition: Configuration, webhooks: object[]): Promise<void> {
  const labels = { 'app.kubernetes.io/managed-by': 'stillpoint' }
  const wanted = objectOf(definition, { name: configurationName, labels }, { webhooks } as {
    webhooks: ObjectOf<Configuration>['webhooks']
  })
  try {
    await client.create(definition, wanted)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    await client.patch(definition, { name: configurationName }, { metadata: { labels }, webhooks })
  }
}
