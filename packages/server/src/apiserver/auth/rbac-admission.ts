import {
  ClusterRole,
  ClusterRoleBinding,
  type ClusterRole as ClusterRoleObject,
  Role,
  RoleBinding,
  type RoleBinding as RoleBindingObject,
  type Role as RoleObject,
} from '@stillpoint/api/core/rbac'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { jsonEqual } from '../json.ts'
import type { Admission, AdmissionCall } from '../registry/admission.ts'
import { invalid } from '../registry/errors.ts'
import type { Authorizer } from './authorizer.ts'
import { type Granting, mayBind, mayGrant } from './escalation.ts'
import { bindingErrors, bindingWithDefaults, roleErrors } from './rbac-rules.ts'

const operations = ['CREATE', 'UPDATE'] as const

/** Roles and bindings: sound, and never a way to more rights than their writer has. */
export function rbacAdmission(authorizer: Authorizer): Admission[] {
  const rule = (
    definition: ResourceDefinition,
    admit: (call: AdmissionCall, granting: Granting) => KubeObject | undefined,
  ) => ({
    group: definition.group,
    resource: definition.plural,
    operations,
    admit: (call: AdmissionCall) => {
      const { name, namespace } = call.object.metadata
      return admit(call, { authorizer, user: call.user, definition, name, namespace })
    },
  })
  return [
    rule(Role, admitRole),
    rule(ClusterRole, admitRole),
    rule(RoleBinding, admitBinding),
    rule(ClusterRoleBinding, admitBinding),
  ]
}

function admitRole({ object, oldObject }: AdmissionCall, granting: Granting): undefined {
  const role = object as RoleObject | ClusterRoleObject
  const { definition, name, namespace } = granting
  const errors = roleErrors(role, namespace !== undefined)
  if (errors.length > 0) throw invalid(definition, name, errors)
  if (onlyHousekeeping(object, oldObject)) return
  mayGrant(granting, role.rules ?? [], 'aggregationRule' in role && role.aggregationRule !== undefined)
}

function admitBinding({ object, oldObject }: AdmissionCall, granting: Granting): RoleBindingObject {
  const binding = bindingWithDefaults(object as RoleBindingObject)
  const { definition, name, namespace } = granting
  const errors = bindingErrors(binding, namespace !== undefined, (oldObject as RoleBindingObject | undefined)?.roleRef)
  if (errors.length > 0) throw invalid(definition, name, errors)
  if (!onlyHousekeeping(binding, oldObject)) mayBind(granting, binding.roleRef)
  return binding
}

/** Whether only what deletion needs was changed: that must never be stopped. */
function onlyHousekeeping(object: KubeObject, before: KubeObject | undefined): boolean {
  return before !== undefined && jsonEqual(withoutHousekeeping(object), withoutHousekeeping(before))
}

function withoutHousekeeping(object: KubeObject): object {
  const { ownerReferences: _owners, finalizers: _finalizers, resourceVersion: _version, ...metadata } = object.metadata
  return { ...object, metadata }
}
