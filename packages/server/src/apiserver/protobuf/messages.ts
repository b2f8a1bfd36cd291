/** One field of a message. */
export interface Field {
  name: string
  type: string
  repeated: boolean
  map: boolean
  /** Set as soon as it is on the wire, also when it is zero. Other fields come with zeros that mean "not given". */
  pointer: boolean
}

// `number name type`; `[]` repeated, `{}` map with string keys, `?` pointer. The numbers are those of Kubernetes'
// published messages. Fields left out here are skipped: managedFields, for example.
const tables = `
ObjectMeta: 1 name string; 2 generateName string; 3 namespace string; 5 uid string; 6 resourceVersion string; 7 generation int; 8 creationTimestamp Time; 9 deletionTimestamp Time?; 10 deletionGracePeriodSeconds int?; 11 labels string{}; 12 annotations string{}; 13 ownerReferences OwnerReference[]; 14 finalizers string[]
OwnerReference: 1 kind string; 3 name string; 4 uid string; 5 apiVersion string; 6 controller bool?; 7 blockOwnerDeletion bool?
LabelSelector: 1 matchLabels string{}; 2 matchExpressions LabelSelectorRequirement[]
LabelSelectorRequirement: 1 key string; 2 operator string; 3 values string[]
DeleteOptions: 1 gracePeriodSeconds int?; 2 preconditions Preconditions?; 3 orphanDependents bool?; 4 propagationPolicy string?; 5 dryRun string[]
Preconditions: 1 uid string?; 2 resourceVersion string?
ObjectReference: 1 kind string; 2 namespace string; 3 name string; 4 uid string; 5 apiVersion string; 6 resourceVersion string; 7 fieldPath string
LocalObjectReference: 1 name string
TypedObjectReference: 1 apiGroup string?; 2 kind string; 3 name string; 4 namespace string?
ConfigMap: 1 metadata ObjectMeta; 2 data string{}; 3 binaryData bytes{}; 4 immutable bool?
Secret: 1 metadata ObjectMeta; 2 data bytes{}; 3 type string; 4 stringData string{}; 5 immutable bool?
ServiceAccount: 1 metadata ObjectMeta; 2 secrets ObjectReference[]; 3 imagePullSecrets LocalObjectReference[]; 4 automountServiceAccountToken bool?
Namespace: 1 metadata ObjectMeta; 2 spec NamespaceSpec; 3 status NamespaceStatus
NamespaceSpec: 1 finalizers string[]
NamespaceStatus: 1 phase string; 2 conditions NamespaceCondition[]
NamespaceCondition: 1 type string; 2 status string; 4 lastTransitionTime Time; 5 reason string; 6 message string
Event: 1 metadata ObjectMeta; 2 involvedObject ObjectReference; 3 reason string; 4 message string; 5 source EventSource; 6 firstTimestamp Time; 7 lastTimestamp Time; 8 count int; 9 type string; 10 eventTime MicroTime; 11 series EventSeries?; 12 action string; 13 related ObjectReference?; 14 reportingComponent string; 15 reportingInstance string
EventSource: 1 component string; 2 host string
EventSeries: 1 count int; 2 lastObservedTime MicroTime
Lease: 1 metadata ObjectMeta; 2 spec LeaseSpec
LeaseSpec: 1 holderIdentity string?; 2 leaseDurationSeconds int?; 3 acquireTime MicroTime?; 4 renewTime MicroTime?; 5 leaseTransitions int?; 6 strategy string?; 7 preferredHolder string?
PersistentVolumeClaim: 1 metadata ObjectMeta; 2 spec PersistentVolumeClaimSpec; 3 status PersistentVolumeClaimStatus
PersistentVolumeClaimSpec: 1 accessModes string[]; 2 resources VolumeResourceRequirements; 3 volumeName string; 4 selector LabelSelector?; 5 storageClassName string?; 6 volumeMode string?; 7 dataSource TypedObjectReference?; 8 dataSourceRef TypedObjectReference?; 9 volumeAttributesClassName string?
VolumeResourceRequirements: 1 limits Quantity{}; 2 requests Quantity{}
PersistentVolumeClaimStatus: 1 phase string; 2 accessModes string[]; 3 capacity Quantity{}; 4 conditions PersistentVolumeClaimCondition[]
PersistentVolumeClaimCondition: 1 type string; 2 status string; 3 lastProbeTime Time; 4 lastTransitionTime Time; 5 reason string; 6 message string
StorageClass: 1 metadata ObjectMeta; 2 provisioner string; 3 parameters string{}; 4 reclaimPolicy string?; 5 mountOptions string[]; 6 allowVolumeExpansion bool?; 7 volumeBindingMode string?; 8 allowedTopologies TopologySelectorTerm[]
TopologySelectorTerm: 1 matchLabelExpressions TopologySelectorLabelRequirement[]
TopologySelectorLabelRequirement: 1 key string; 2 values string[]
ControllerRevision: 1 metadata ObjectMeta; 2 data RawExtension; 3 revision int
Role: 1 metadata ObjectMeta; 2 rules PolicyRule[]
ClusterRole: 1 metadata ObjectMeta; 2 rules PolicyRule[]; 3 aggregationRule AggregationRule?
PolicyRule: 1 verbs string[]; 2 apiGroups string[]; 3 resources string[]; 4 resourceNames string[]; 5 nonResourceURLs string[]
AggregationRule: 1 clusterRoleSelectors LabelSelector[]
RoleBinding: 1 metadata ObjectMeta; 2 subjects Subject[]; 3 roleRef RoleRef
ClusterRoleBinding: 1 metadata ObjectMeta; 2 subjects Subject[]; 3 roleRef RoleRef
Subject: 1 kind string; 2 apiGroup string; 3 name string; 4 namespace string
RoleRef: 1 apiGroup string; 2 kind string; 3 name string
SelfSubjectAccessReview: 1 metadata ObjectMeta; 2 spec SelfSubjectAccessReviewSpec
SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes?; 2 nonResourceAttributes NonResourceAttributes?
SubjectAccessReview: 1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec
LocalSubjectAccessReview: 1 metadata ObjectMeta; 2 spec SubjectAccessReviewSpec
SubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes?; 2 nonResourceAttributes NonResourceAttributes?; 3 user string; 4 groups string[]; 6 uid string
ResourceAttributes: 1 namespace string; 2 verb string; 3 group string; 4 version string; 5 resource string; 6 subresource string; 7 name string
NonResourceAttributes: 1 path string; 2 verb string
SelfSubjectRulesReview: 1 metadata ObjectMeta; 2 spec SelfSubjectRulesReviewSpec
SelfSubjectRulesReviewSpec: 1 namespace string
TokenReview: 1 metadata ObjectMeta; 2 spec TokenReviewSpec
TokenReviewSpec: 1 token string; 2 audiences string[]
SelfSubjectReview: 1 metadata ObjectMeta
TokenRequest: 1 metadata ObjectMeta; 2 spec TokenRequestSpec
TokenRequestSpec: 1 audiences string[]; 3 boundObjectRef BoundObjectReference?; 4 expirationSeconds int?
BoundObjectReference: 1 kind string; 2 apiVersion string; 3 name string; 4 uid string
Unknown: 1 typeMeta TypeMeta; 2 raw bytes
TypeMeta: 1 apiVersion string; 2 kind string
`

const compiled = new Map<string, ReadonlyMap<number, Field>>()

/** The fields of a message by number; undefined for a message we do not know. */
export function messageFields(name: string): ReadonlyMap<number, Field> | undefined {
  if (compiled.size === 0) for (const line of tables.trim().split('\n')) compiled.set(...parseLine(line))
  return compiled.get(name)
}

function parseLine(line: string): [string, ReadonlyMap<number, Field>] {
  const [message = '', fields = ''] = line.split(': ')
  const parsed = fields.split('; ').map((field): [number, Field] => {
    const [number, name = '', type = ''] = field.split(' ')
    return [
      Number(number),
      {
        name,
        type: type.replace(/[?[\]{}]/g, ''),
        repeated: type.endsWith('[]'),
        map: type.endsWith('{}'),
        pointer: type.endsWith('?'),
      },
    ]
  })
  return [message, new Map(parsed)]
}
