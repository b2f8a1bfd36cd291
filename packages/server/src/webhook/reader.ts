import { clusterKinds } from '@stillpoint/api/kinds'
import { VirtualMachine } from '@stillpoint/api/kubevirt/kinds'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import type { Informer } from '../kube/informer.ts'
import type { Informers } from '../kube/informers.ts'
import type { Read } from './answer.ts'

/**
 * Lets rules read other objects from the informers of the controllers. To be called before these start. They may
 * lag behind a little: rules must not be the only thing that keeps two writers apart.
 */
export function readerOf(informers: Informers): Read {
  const known = new Map<string, Informer<ResourceDefinition>>()
  for (const definition of [VirtualMachine, ...clusterKinds]) {
    const informer = informers.of(definition)
    informer.addIndex('webhook:namespace', ({ metadata }) => [metadata.namespace ?? ''])
    known.set(`${definition.group}/${definition.plural}`, informer as unknown as Informer<ResourceDefinition>)
  }
  const of = (group: string, plural: string): Informer<ResourceDefinition> => {
    const informer = known.get(`${group}/${plural}`)
    if (informer === undefined) throw new Error(`rules of admission cannot read ${plural}.${group}`)
    return informer
  }
  return {
    get: (group, plural, namespace, name) =>
      of(group, plural).get(namespace === undefined ? name : `${namespace}/${name}`),
    list: (group, plural, namespace) =>
      namespace === undefined ? of(group, plural).list() : of(group, plural).byIndex('webhook:namespace', namespace),
  }
}
