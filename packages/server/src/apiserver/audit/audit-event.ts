import { verbOf, verbOfPath } from '../http/authorize.ts'
import { parseResourcePath, type ResourcePath } from '../http/request-path.ts'
import { controllerUser } from '../pki/tokens.ts'
import type { UserInfo } from '../registry/admission.ts'
import type { Stage, Trail } from './trail.ts'

/** One moment of a request. */
export interface Entry {
  trail: Trail
  stage: Stage
  /** Of the answer. */
  code: number
  atMs: number
}

const reads = new Set(['get', 'list', 'watch'])

/**
 * An entry as an event of `audit.k8s.io/v1`, always at the level Metadata: who asked for what, and what came of it.
 * Undefined for what is not worth a line: health, discovery and metrics where they were given, and our own controllers
 * reading, telling events and holding leases.
 */
export function auditEvent({ trail, stage, code, atMs }: Entry): object | undefined {
  const [path = '', search = ''] = trail.url.split('?', 2)
  const resource = parseResourcePath(path)
  const verb = resource ? verbOf(trail.method, resource, new URLSearchParams(search)) : verbOfPath(trail.method)
  if (isRoutine(trail, resource, verb, code)) return undefined
  const { id, caller, decision } = trail
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: id,
    stage,
    requestURI: trail.url,
    verb,
    user: caller ? userOf(caller.real) : {},
    ...(caller && caller.user !== caller.real ? { impersonatedUser: userOf(caller.user) } : {}),
    ...(trail.address === undefined ? {} : { sourceIPs: [trail.address] }),
    ...(trail.userAgent === undefined ? {} : { userAgent: trail.userAgent }),
    ...(resource ? { objectRef: referenceOf(resource, trail) } : {}),
    responseStatus: {
      metadata: {},
      ...(code >= 400 ? { status: 'Failure', ...(trail.reason ? { reason: trail.reason } : {}) } : {}),
      code,
    },
    requestReceivedTimestamp: microTime(trail.receivedMs),
    stageTimestamp: microTime(atMs),
    ...(decision
      ? {
          annotations: {
            'authorization.k8s.io/decision': decision.allowed ? 'allow' : 'forbid',
            'authorization.k8s.io/reason': decision.reason,
          },
        }
      : {}),
  }
}

function isRoutine({ caller }: Trail, resource: ResourcePath | undefined, verb: string, code: number): boolean {
  // A connection that is taken over is more than a read.
  if (code >= 400 || code === 101) return false
  if (!resource) return reads.has(verb)
  if (caller?.real.username !== controllerUser) return false
  return reads.has(verb) || resource.resource === 'events' || resource.resource === 'leases'
}

function userOf({ username, uid, groups, extra }: UserInfo): object {
  return { username, ...(uid === undefined ? {} : { uid }), groups, ...(extra ? { extra } : {}) }
}

function referenceOf({ group, version, namespace, resource, name, subresource }: ResourcePath, { created }: Trail) {
  const [named, uid] = [name ?? created?.name, created?.uid]
  return {
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(named === undefined ? {} : { name: named }),
    ...(uid === undefined ? {} : { uid }),
    ...(group === '' ? {} : { apiGroup: group }),
    apiVersion: version,
    ...(subresource === undefined ? {} : { subresource }),
  }
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}
