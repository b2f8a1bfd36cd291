import type { OpenApiSchema } from './schemas.ts'

/** The component name of a kind of meta/v1. */
export function meta(kind: string): string {
  return `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`
}

export const listMeta = meta('ListMeta')

const text = (description: string): OpenApiSchema => ({ type: 'string', description })
const count = (description: string, format = 'int64'): OpenApiSchema => ({ type: 'integer', format, description })
const flag = (description: string): OpenApiSchema => ({ type: 'boolean', description })
const texts = (description: string): OpenApiSchema => ({
  type: 'array',
  items: { type: 'string' },
  description,
  'x-kubernetes-list-type': 'atomic',
})
const typeMeta = {
  apiVersion: text('Version of the schema this object follows.'),
  kind: text('The kind of this object.'),
}
const gvk = (kind: string) => ({ 'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind }] })

export const deleteOptions: { name: string; schema: OpenApiSchema } = {
  name: meta('DeleteOptions'),
  schema: {
    type: 'object',
    description: 'How to delete.',
    properties: {
      ...typeMeta,
      dryRun: texts('All: do everything but the deletion itself.'),
      gracePeriodSeconds: count('Seconds the object may take to end; 0 deletes at once.'),
      orphanDependents: flag('Deprecated, use propagationPolicy.'),
      preconditions: { $ref: meta('Preconditions'), description: 'Delete only if these hold.' },
      propagationPolicy: text('Orphan, Background or Foreground: what happens to dependents.'),
    },
    ...gvk('DeleteOptions'),
  },
}

/** The components beside ObjectMeta that every document has. */
export function otherMetaSchemas(): Record<string, OpenApiSchema> {
  return {
    [listMeta]: {
      type: 'object',
      description: 'What every list has.',
      properties: {
        continue: text('Token for the next chunk of the list.'),
        remainingItemCount: count('Number of objects after this chunk.'),
        resourceVersion: text('Version of the list; a watch may start from it.'),
        selfLink: text('Deprecated; the server no longer fills it.'),
      },
    },
    [meta('Patch')]: { type: 'object', description: 'A change of an object, in the form its content type says.' },
    [meta('Preconditions')]: {
      type: 'object',
      description: 'What must hold for an operation to be carried out.',
      properties: { resourceVersion: text('The expected version.'), uid: text('The expected UID.') },
    },
    [meta('Status')]: {
      type: 'object',
      description: 'The outcome of a call that answers with no object.',
      properties: {
        ...typeMeta,
        metadata: { $ref: listMeta, description: 'Empty.' },
        code: count('HTTP status code.', 'int32'),
        details: { $ref: meta('StatusDetails'), description: 'Facts about the reason.' },
        message: text('A sentence for people.'),
        reason: text('One word why.'),
        status: text('Success or Failure.'),
      },
      ...gvk('Status'),
    },
    [meta('StatusDetails')]: {
      type: 'object',
      description: 'Facts about the outcome of a call.',
      properties: {
        causes: {
          type: 'array',
          items: { $ref: meta('StatusCause') },
          description: 'Single causes.',
          'x-kubernetes-list-type': 'atomic',
        },
        group: text('Group of the resource.'),
        kind: text('Kind of the resource.'),
        name: text('Name of the object.'),
        retryAfterSeconds: count('Seconds after which to try again.', 'int32'),
        uid: text('UID of the object.'),
      },
    },
    [meta('StatusCause')]: {
      type: 'object',
      description: 'One cause of a failure.',
      properties: {
        field: text('The field at fault.'),
        message: text('A sentence for people.'),
        reason: text('One word why.'),
      },
    },
    [meta('WatchEvent')]: {
      type: 'object',
      description: 'One change seen by a watch.',
      required: ['type', 'object'],
      properties: {
        type: text('ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.'),
        object: { type: 'object', description: 'The object, or a Status.' },
      },
      ...gvk('WatchEvent'),
    },
  }
}
