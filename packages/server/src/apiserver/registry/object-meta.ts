import { objectMetaSchema } from '@stillpoint/api/core/object-meta'
import type { ObjectMeta } from '@stillpoint/api/meta/object-meta'
import type { JsonSchema, ResourceDefinition } from '@stillpoint/api/schema/resource'
import { type FieldError, fieldError } from './errors.ts'
import { whyNotLabel, whyNotLabelValue, whyNotPathSegment, whyNotQualifiedName, whyNotSubdomain } from './names.ts'

let readable: JsonSchema | undefined

/**
 * What of `metadata` is read; everything else is unknown and pruned. It is the published schema, types only: what is
 * missing is found by `validateMetadata`, whose answer is 422 and not 400, and what stands in a list twice is no error,
 * both as in a real server.
 */
export function readableMetadata(): JsonSchema {
  readable ??= typesOnly(objectMetaSchema())
  return readable
}

function typesOnly({
  required: _required,
  'x-kubernetes-list-type': _type,
  'x-kubernetes-list-map-keys': _keys,
  ...schema
}: JsonSchema): JsonSchema {
  const { properties, items } = schema
  if (items) schema.items = typesOnly(items)
  if (properties)
    schema.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, typesOnly(property)]),
    )
  return schema
}

const annotationsLimitBytes = 256 * 1024
const maskedName = 'a'

/** Everything wrong with an object's metadata, in the order a real server checks it. */
export function validateMetadata(definition: ResourceDefinition, metadata: ObjectMeta): FieldError[] {
  return [
    ...validateName(definition, metadata),
    ...validateLabels(metadata.labels ?? {}, 'metadata.labels'),
    ...validateAnnotations(metadata.annotations ?? {}),
    ...validateOwners(metadata),
    ...validateFinalizers(metadata.finalizers ?? []),
  ]
}

function validateName(definition: ResourceDefinition, { name, generateName }: ObjectMeta): FieldError[] {
  const why = whyNotNameOf(definition)
  const errors: FieldError[] = []
  if (generateName) {
    // A trailing dash is what generated suffixes are for.
    const reason = why(generateName.endsWith('-') ? `${generateName.slice(0, -1)}${maskedName}` : generateName)
    if (reason !== undefined) errors.push(fieldError('invalid', 'metadata.generateName', reason, generateName))
  }
  if (!name) errors.push(fieldError('required', 'metadata.name', 'name or generateName is required'))
  else {
    const reason = why(name)
    if (reason !== undefined) errors.push(fieldError('invalid', 'metadata.name', reason, name))
  }
  return errors
}

function whyNotNameOf({ group, plural }: ResourceDefinition): (name: string) => string | undefined {
  if (group === '' && plural === 'namespaces') return whyNotLabel
  return group === 'rbac.authorization.k8s.io' ? whyNotPathSegment : whyNotSubdomain
}

function validateLabels(labels: Record<string, string>, path: string): FieldError[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const badKey = whyNotQualifiedName(key)
    const badValue = whyNotLabelValue(value)
    return [
      ...(badKey === undefined ? [] : [fieldError('invalid', path, badKey, key)]),
      ...(badValue === undefined ? [] : [fieldError('invalid', path, badValue, value)]),
    ]
  })
}

function validateAnnotations(annotations: Record<string, string>): FieldError[] {
  const path = 'metadata.annotations'
  let bytes = 0
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(annotations)) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    const bad = whyNotQualifiedName(key.toLowerCase())
    if (bad !== undefined) errors.push(fieldError('invalid', path, bad, key))
  }
  if (bytes > annotationsLimitBytes)
    errors.push(fieldError('tooLong', path, `may not be more than ${annotationsLimitBytes} bytes`))
  return errors
}

function validateOwners({ ownerReferences = [] }: ObjectMeta): FieldError[] {
  const path = 'metadata.ownerReferences'
  const errors: FieldError[] = []
  for (const [index, owner] of ownerReferences.entries()) {
    const at = `${path}[${index}]`
    if (!owner.apiVersion) errors.push(fieldError('invalid', `${at}.apiVersion`, 'version must not be empty', ''))
    if (!owner.kind) errors.push(fieldError('invalid', `${at}.kind`, 'must not be empty', ''))
    if (!owner.name) errors.push(fieldError('invalid', `${at}.name`, 'must not be empty', ''))
    if (!owner.uid) errors.push(fieldError('invalid', `${at}.uid`, 'must not be empty', ''))
    if (owner.apiVersion === 'v1' && owner.kind === 'Event')
      errors.push(fieldError('invalid', at, '/v1, Kind=Event is disallowed from being an owner', owner))
  }
  const controllers = ownerReferences.filter((owner) => owner.controller === true).map((owner) => owner.kind)
  if (controllers.length > 1) {
    const [first, second] = controllers
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${second}`
    errors.push(fieldError('invalid', path, detail, ownerReferences))
  }
  return errors
}

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = 'metadata.finalizers'
  const errors = finalizers.flatMap((finalizer) => {
    const bad = whyNotQualifiedName(finalizer)
    return bad === undefined ? [] : [fieldError('invalid', path, bad, finalizer)]
  })
  if (finalizers.includes('orphan') && finalizers.includes('foregroundDeletion'))
    errors.push(fieldError('invalid', path, 'finalizers orphan and foregroundDeletion cannot be both set', finalizers))
  return errors
}

/** While an object is being deleted its finalizers may only get fewer. */
export function validateFinalizersOfDeleted(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  if (old.deletionTimestamp === undefined) return []
  const added = (metadata.finalizers ?? []).filter((finalizer) => !old.finalizers?.includes(finalizer))
  if (added.length === 0) return []
  const list = `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`
  return [
    fieldError(
      'forbidden',
      'metadata.finalizers',
      `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`,
    ),
  ]
}
