import * as z from 'zod'
import { stringMap, time } from '../schema/fields.ts'
import { type JsonSchema, toJsonSchema } from '../schema/resource.ts'
import { atomicList, listMergedBy, setOf } from './lists.ts'

const ownerReference = z
  .object({
    apiVersion: z.string().describe('API version of the owner.'),
    kind: z.string().describe('Kind of the owner.'),
    name: z.string().describe('Name of the owner.'),
    uid: z.string().describe('UID of the owner.'),
    controller: z.boolean().optional().describe('True if this owner is the managing controller.'),
    blockOwnerDeletion: z
      .boolean()
      .optional()
      .describe('If true, a foreground deletion of the owner waits until this object is gone.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })

const managedFieldsEntry = z.object({
  manager: z.string().optional().describe('Who manages these fields.'),
  operation: z.string().optional().describe('How the fields were written: Apply or Update.'),
  apiVersion: z.string().optional().describe('Version of the object the fields belong to.'),
  time: time.optional().describe('When the entry last changed.'),
  fieldsType: z.string().optional().describe('Format of the field set: FieldsV1.'),
  fieldsV1: z.looseObject({}).optional().describe('The managed fields as a tree of paths.'),
  subresource: z.string().optional().describe('Subresource through which the fields were written.'),
})

const objectMeta = z.object({
  name: z.string().optional().describe('Name, unique among objects of the kind in the namespace. Cannot be updated.'),
  generateName: z.string().optional().describe('Prefix from which the server makes a unique name when name is empty.'),
  namespace: z.string().optional().describe('Namespace the object lives in; empty for cluster-scoped kinds.'),
  selfLink: z.string().optional().describe('Deprecated; the server no longer fills it.'),
  uid: z.string().optional().describe('Unique in time and space; given by the server. Read-only.'),
  resourceVersion: z
    .string()
    .optional()
    .describe('Version of the stored object. Send it back in an update to be told of changes in between.'),
  generation: z.int().optional().meta({ format: 'int64' }).describe('Counts changes of the desired state. Read-only.'),
  creationTimestamp: time.nullable().optional().describe('When the object was created. Read-only.'),
  deletionTimestamp: time
    .optional()
    .describe('When deletion was asked for; the object goes once its finalizers are done. Read-only.'),
  deletionGracePeriodSeconds: z
    .int()
    .optional()
    .meta({ format: 'int64' })
    .describe('Seconds the object may take to end gracefully. Read-only.'),
  labels: stringMap.optional().describe('Names and values to organize and select objects by.'),
  annotations: stringMap.optional().describe('Names and values that tools attach; not used for selection.'),
  ownerReferences: listMergedBy('uid', ownerReference)
    .optional()
    .describe('Objects this one depends on; it is deleted when all of them are gone.'),
  finalizers: setOf(z.string()).optional().describe('What must be done before the object may go.'),
  managedFields: atomicList(managedFieldsEntry).optional().describe('Which client manages which fields.'),
})

let schema: JsonSchema | undefined

/** The published schema of `metadata`, the same for every kind. */
export function objectMetaSchema(): JsonSchema {
  schema ??= { description: 'What every stored object has.', ...toJsonSchema(objectMeta) }
  return schema
}

export const objectReference = z
  .object({
    kind: z.string().optional().describe('Kind of the object.'),
    namespace: z.string().optional().describe('Namespace of the object.'),
    name: z.string().optional().describe('Name of the object.'),
    uid: z.string().optional().describe('UID of the object.'),
    apiVersion: z.string().optional().describe('API version of the object.'),
    resourceVersion: z.string().optional().describe('Version of the object the reference was made for.'),
    fieldPath: z.string().optional().describe('Part of the object that is meant.'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' })

/** Conditions of built-in kinds, merged by type. */
export const mergedConditions = listMergedBy(
  'type',
  z.object({
    type: z.string().describe('Name of the condition.'),
    status: z.string().describe('True, False or Unknown.'),
    reason: z.string().optional().describe('One word why.'),
    message: z.string().optional().describe('A sentence for people.'),
    lastTransitionTime: time.nullable().optional().describe('When the status last changed.'),
    lastProbeTime: time.nullable().optional().describe('When the condition was last looked at.'),
    lastHeartbeatTime: time.nullable().optional().describe('When the condition was last reported.'),
  }),
)
