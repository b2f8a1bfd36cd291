import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kinds } from '../../packages/api/src/kinds.ts'
import { Fixture } from './fixtures.ts'
import { type Binary, Kubectl, kubectlBinaries } from './kubectl-binary.ts'
import { root } from './server.ts'

// Users come with the kubectl their distribution has: what it prints is our user interface.

const { found, missing } = await kubectlBinaries()
for (const reason of missing)
  test('a further kubectl', ({ skip }) => {
    skip(reason)
  })

const example = (name: string): string => join(root, 'examples', name)
const configMap = (name: string, data: Record<string, string> = {}, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
  data,
})

/** A kubectl in a namespace of its own. */
async function kubectlFor(binary: Binary, fixture: Fixture): Promise<Kubectl> {
  const namespace = `kubectl-${binary.version.replace('.', '-')}`
  const home = join(fixture.dataDir, namespace)
  const kubeconfig = join(home, 'kubeconfig')
  await mkdir(home)
  await copyFile(fixture.server.kubeconfig, kubeconfig)
  const kubectl = new Kubectl(binary, kubeconfig, home)
  await kubectl.ok('create', 'namespace', namespace)
  await kubectl.ok('config', 'set-context', '--current', `--namespace=${namespace}`)
  return kubectl
}

describe.each(found)('kubectl $version and the API server alone', (binary) => {
  let fixture: Fixture
  let kubectl: Kubectl
  beforeAll(async () => {
    // No controllers: every object stays as it was written.
    fixture = await Fixture.start(['--roles', 'apiserver'])
    kubectl = await kubectlFor(binary, fixture)
    await kubectl.ok('apply', '-f', example('virtual-machine.yaml'))
    await kubectl.ok('create', '-f', example('restore.yaml'))
    await kubectl.ok('create', '-f', example('snapshot.yaml'))
  })

  test('creates, and says when there is one already', async () => {
    expect(await kubectl.feed(configMap('made'), 'create', '-f', '-')).toBe('configmap/made created\n')
    const again = await kubectl.refused(configMap('made'), 'create', '-f', '-')
    expect(again).toMatch(/AlreadyExists.*configmaps "made" already exists$/)
    expect(await kubectl.ok('create', 'configmap', 'from-flags', '--from-literal=a=b')).toContain('created')
    expect(await kubectl.ok('create', 'secret', 'generic', 'from-flags', '--from-literal=a=b')).toContain('created')
    expect(await kubectl.ok('get', 'secret', 'from-flags', '-o', 'jsonpath={.type} {.data.a}')).toBe('Opaque Yg==')
  })

  test('applies: created, unchanged, configured, and what is left out is removed', async () => {
    const apply = (data: Record<string, string>) => kubectl.feed(configMap('applied', data), 'apply', '-f', '-')
    expect(await apply({ a: '1', b: '1' })).toBe('configmap/applied created\n')
    expect(await apply({ a: '1', b: '1' })).toBe('configmap/applied unchanged\n')
    expect(await apply({ a: '2' })).toBe('configmap/applied configured\n')
    expect(await kubectl.ok('get', 'cm', 'applied', '-o', 'jsonpath={.data}')).toBe('{"a":"2"}')
    expect(await kubectl.ok('apply', '-f', example('virtual-machine.yaml'))).toContain('/my-vm unchanged')
  })

  test('is refused server-side apply as by a server that does not have it', async () => {
    const refusal = await kubectl.refused(configMap('never'), 'apply', '--server-side', '-f', '-')
    expect(refusal).toMatch(/Server-side apply not available.*apply without --server-side/)
    expect(await kubectl.refused('', 'get', 'cm', 'never')).toContain('NotFound')
  })

  test('compares with what is there', async () => {
    const diff = await kubectl.run(['diff', '-f', example('virtual-machine.yaml')])
    expect([diff.code, diff.stdout]).toEqual([0, ''])
    const changed = (await readFile(example('virtual-machine.yaml'), 'utf8')).replace('256Mi', '512Mi')
    const differing = await kubectl.run(['diff', '-f', '-'], { input: changed })
    expect(differing.code).toBe(1)
    expect(differing.stdout).toMatch(/^-\s+guest: 256Mi\n\+\s+guest: 512Mi$/m)
  })

  const tables: [kind: string, header: RegExp][] = [
    ['vm', /^NAME +AGE +STATUS +READY\nmy-vm +\d+s/],
    ['vmsnapshot', /^NAME +SOURCEKIND +SOURCENAME +PHASE +READYTOUSE +CREATIONTIME +ERROR *\nmy-vmsnapshot +VirtualM/],
    ['vmrestore', /^NAME +TARGETKIND +TARGETNAME +COMPLETE +RESTORETIME *\nmy-vmrestore +VirtualMachine +my-vm *\n/],
    ['namespace', /^NAME +STATUS +AGE\ndefault +Active +\d+s\n/],
    ['cm', /^NAME +DATA +AGE\n/],
    ['secret', /^NAME +TYPE +DATA +AGE\n/],
  ]
  test.each(tables)('shows a table of %s', async (kind, header) => {
    expect(await kubectl.ok('get', kind)).toMatch(header)
    expect(await kubectl.ok('get', kind, '-o', 'wide')).toMatch(/^NAME /)
  })

  test('shows objects as YAML, which can be applied, as JSONPath and as columns', async () => {
    const yaml = await kubectl.ok('get', 'vm', 'my-vm', '-o', 'yaml')
    expect(yaml).toMatch(/^apiVersion: kubevirt.io\/v1\nkind: VirtualMachine\nmetadata:\n/)
    expect(await kubectl.feed(yaml, 'replace', '-f', '-')).toContain('replaced')
    const volumes = '{range .spec.template.spec.volumes[*]}{.name} {end}'
    expect(await kubectl.ok('get', 'vm', 'my-vm', '-o', `jsonpath=${volumes}`)).toBe('root data cloudinit ')
    const columns = 'custom-columns=N:.metadata.name,G:.spec.template.spec.domain.memory.guest'
    expect(await kubectl.ok('get', 'vm', '-o', columns)).toMatch(/^N +G\nmy-vm +256Mi\n$/)
    expect(await kubectl.ok('get', 'vmsnapshot,vmrestore', '-o', 'name')).toBe(
      'virtualmachinesnapshot.snapshot.kubevirt.io/my-vmsnapshot\nvirtualmachinerestore.snapshot.kubevirt.io/my-vmrestore\n',
    )
    expect(await kubectl.ok('get', 'vm', '-A', '--field-selector', 'metadata.name=my-vm', '--no-headers')).toMatch(
      /^kubectl-\S+ +my-vm /,
    )
    expect(await kubectl.ok('get', 'all')).toMatch(/virtualmachine\.kubevirt\.io\/my-vm(.|\n)*vmsnapshot/)
  })

  test('follows changes with -w', async () => {
    await kubectl.feed(configMap('watched'), 'create', '-f', '-')
    const watch = kubectl.start('get', 'cm', 'watched', '-w')
    try {
      expect(await watch.line(/^NAME/)).toMatch(/^NAME +DATA +AGE$/)
      await watch.line(/^watched +0 /)
      await kubectl.ok('patch', 'cm', 'watched', '-p', '{"data":{"a":"1"}}')
      await watch.line(/^watched +1 /)
    } finally {
      await watch.stop()
    }
  })

  test.each(kinds.map(({ plural, group }) => (group === '' ? plural : `${plural}.${group}`)))(
    'describes and gets %s without a complaint',
    async (kind) => {
      for (const verb of ['describe', 'get']) {
        const { code, stderr } = await kubectl.run([verb, kind, '-A'])
        expect([code, stderr.replace('No resources found', '').trim()]).toEqual([0, ''])
      }
    },
  )

  test('describes claims and nodes, which lists the pods that use them', async () => {
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
    await kubectl.feed(
      { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c' }, spec },
      'create',
      '-f',
      '-',
    )
    await kubectl.feed({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } }, 'create', '-f', '-')
    expect(await kubectl.ok('describe', 'pvc', 'c')).toMatch(/^Used By: +<none>$/m)
    expect(await kubectl.ok('describe', 'node', 'n')).toMatch(/^Non-terminated Pods: +\(0 in total\)$/m)
    expect(await kubectl.refused('', 'get', 'pods')).toContain(`the server doesn't have a resource type "pods"`)
  })

  test('shows the events of an object when it describes it', async () => {
    const vm = JSON.parse(await kubectl.ok('get', 'vm', 'my-vm', '-o', 'json')) as {
      metadata: { uid: string; namespace: string }
    }
    const { uid, namespace } = vm.metadata
    const now = new Date().toISOString().replace(/\.\d+/, '')
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'my-vm.1', namespace },
      involvedObject: { apiVersion: 'kubevirt.io/v1', kind: 'VirtualMachine', name: 'my-vm', namespace, uid },
      type: 'Warning',
      reason: 'Tested',
      message: 'seen by the test',
      source: { component: 'tester' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    await kubectl.feed(event, 'create', '-f', '-')
    expect(await kubectl.ok('describe', 'vm', 'my-vm')).toMatch(/ {2}Warning +Tested +\S+ +tester +seen by the test\n$/)
    const table = await kubectl.ok('get', 'events')
    expect(table).toMatch(
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Warning +Tested +virtualmachine\/my-vm +seen/,
    )
    if (kubectl.atLeast(26))
      expect(await kubectl.ok('events', '--for', 'vm/my-vm')).toMatch(/Warning +Tested +VirtualMachine\/my-vm +seen/)
  })

  test('makes roles, bindings and accounts, and asks what they may', async () => {
    const namespace = await kubectl.ok('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')
    const canI = (...args: string[]) => kubectl.run(['auth', 'can-i', ...args]).then(({ stdout }) => stdout.trim())
    expect(await canI('*', '*', '--all-namespaces')).toBe('yes')
    await kubectl.ok('create', 'serviceaccount', 'robot')
    await kubectl.ok('create', 'role', 'reader', '--verb=get,list,watch', '--resource=configmaps,vmsnapshots')
    await kubectl.ok(
      'create',
      'rolebinding',
      'readers',
      '--role=reader',
      `--serviceaccount=${namespace}:robot`,
      '--user=vera',
    )
    expect(await kubectl.ok('get', 'rolebinding', 'readers', '-o', 'wide')).toMatch(
      /^NAME +ROLE +AGE +USERS +GROUPS +SERVICEACCOUNTS\nreaders +Role\/reader +\d+s +vera +\S*\/robot\n$/,
    )
    expect(await kubectl.ok('get', 'role')).toMatch(/^NAME +CREATED AT\nreader +\d{4}-\d\d-\d\dT/)
    expect(await kubectl.ok('describe', 'role', 'reader')).toMatch(
      /virtualmachinesnapshots\.snapshot\.kubevirt\.io +\[\] +\[\] +\[get list watch\]/,
    )
    expect(await kubectl.ok('describe', 'rolebinding', 'readers')).toMatch(/ServiceAccount +robot/)
    const robot = `--as=system:serviceaccount:${namespace}:robot`
    expect(await canI('list', 'vmsnapshots', robot)).toBe('yes')
    expect(await canI('delete', 'vmsnapshots', robot)).toMatch(/^no/)
    expect(await canI('list', 'vmsnapshots', '-n', 'default', '--as=vera')).toMatch(/^no/)
    expect(await canI('get', '/metrics', '--as=vera')).toMatch(/^no/)
    expect(await kubectl.ok('auth', 'can-i', '--list', '--as=vera')).toMatch(
      /^virtualmachinesnapshots\.snapshot\.kubevirt\.io +\[\] +\[\] +\[get list watch\]$/m,
    )
    expect((await kubectl.run(['get', 'cm', '--as=vera'])).code).toBe(0)
    expect(await kubectl.refused('', 'get', 'secrets', '--as=vera')).toBe(
      `Error from server (Forbidden): secrets is forbidden: User "vera" cannot list resource "secrets" in API group "" in the namespace "${namespace}"`,
    )
    await kubectl.ok('create', 'clusterrolebinding', `team-${namespace}`, '--clusterrole=view', '--group=team')
    expect(await canI('get', 'vm', '-n', 'default', '--as=otto', '--as-group=team')).toBe('yes')
    expect(await kubectl.ok('delete', 'rolebinding', 'readers')).toContain('deleted')
    expect(await canI('list', 'vmsnapshots', robot)).toMatch(/^no/)
  })

  test('reconciles roles from a file', async () => {
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get'] }]
    const namespace = await kubectl.ok('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')
    const metadata = { name: 'filed', namespace }
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules }
    const { code } = await kubectl.run(['auth', 'reconcile', '-f', '-'], { input: JSON.stringify(role) })
    expect(code).toBe(0)
    expect(await kubectl.ok('get', 'role', 'filed', '-o', 'jsonpath={.rules[0].resources}')).toBe('["configmaps"]')
  })

  test('makes tokens of accounts, and is who they say', async ({ skip }) => {
    if (!kubectl.atLeast(24)) skip('kubectl has create token from 1.24 on')
    const namespace = await kubectl.ok('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')
    await kubectl.ok('create', 'serviceaccount', 'holder')
    const token = (await kubectl.ok('create', 'token', 'holder', '--duration=20m')).trim()
    await kubectl.ok('config', 'set-credentials', 'holder', `--token=${token}`)
    const as = async (...args: string[]) => kubectl.run([...args, '--user=holder'])
    const me = await as('auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}')
    expect(me.stdout).toBe(`system:serviceaccount:${namespace}:holder`)
    expect((await as('get', 'cm')).stderr).toContain('Forbidden')
    await kubectl.ok('create', 'rolebinding', 'holders', '--clusterrole=view', `--serviceaccount=${namespace}:holder`)
    expect((await as('get', 'cm')).code).toBe(0)
    await kubectl.ok('delete', 'serviceaccount', 'holder')
    expect((await as('get', 'cm')).stderr).toContain('Unauthorized')
  })

  test('is a user by certificate, who sees the namespace a role was bound in and nothing else', async () => {
    const namespace = await kubectl.ok('config', 'view', '--minify', '-o', 'jsonpath={..namespace}')
    const user = `vera-${namespace}`
    const file = join(fixture.dataDir, `${user}.kubeconfig`)
    await writeFile(file, await fixture.server.kubeconfigFor(user, '--namespace', namespace), { mode: 0o600 })
    const vera = new Kubectl(binary, file, join(fixture.dataDir, namespace))
    const canI = (...args: string[]) => vera.run(['auth', 'can-i', ...args]).then(({ stdout }) => stdout.trim())
    const refusal = (where: string) =>
      `Error from server (Forbidden): virtualmachines.kubevirt.io is forbidden: User "${user}" cannot list resource "virtualmachines" in API group "kubevirt.io" ${where}`
    expect(await vera.refused('', 'get', 'vms')).toBe(refusal(`in the namespace "${namespace}"`))

    await kubectl.ok('create', 'rolebinding', 'seers', '--clusterrole=view', `--user=${user}`)
    expect(await vera.ok('get', 'vms', '-o', 'name')).toBe('virtualmachine.kubevirt.io/my-vm\n')
    expect(await vera.ok('describe', 'vm', 'my-vm')).toMatch(/^Name: +my-vm\n/)
    expect(await vera.ok('get', 'vmsnapshot')).toMatch(/^NAME .*\nmy-vmsnapshot /)
    expect([await canI('list', 'vms'), await canI('watch', 'vmsnapshots')]).toEqual(['yes', 'yes'])
    expect(await vera.refused('', 'get', 'vms', '-n', 'other')).toBe(refusal('in the namespace "other"'))
    expect(await vera.refused('', 'get', 'vms', '-A')).toBe(refusal('at the cluster scope'))
    for (const asked of [
      ['list', 'vms', '-n', 'other'],
      ['list', 'vms', '--all-namespaces'],
      ['list', 'secrets'],
      ['create', 'vmsnapshots'],
      ['update', 'virtualmachines.subresources.kubevirt.io', '--subresource=start'],
      ['impersonate', 'users'],
    ])
      expect([asked, await canI(...asked)]).toEqual([asked, expect.stringMatching(/^no/)])
    expect(await vera.refused('', 'delete', 'vm', 'my-vm')).toContain('cannot delete resource "virtualmachines"')
    if (vera.atLeast(28)) expect(await vera.ok('auth', 'whoami')).toMatch(new RegExp(`^Username +${user}$`, 'm'))

    await kubectl.ok('delete', 'rolebinding', 'seers')
    expect(await vera.refused('', 'get', 'vms')).toContain('Forbidden')
  })

  test('waits for a condition and for deletion', async () => {
    await kubectl.feed(configMap('waited'), 'create', '-f', '-')
    const waiting = kubectl.start('wait', 'vm', 'my-vm', '--for', 'condition=Ready', '--timeout=60s')
    const status = { conditions: [{ type: 'Ready', status: 'True' }] }
    const path = `/apis/kubevirt.io/v1/namespaces/kubectl-${binary.version.replace('.', '-')}/virtualmachines/my-vm`
    const vm = JSON.parse(await kubectl.ok('get', '--raw', path)) as object
    await kubectl.feed({ ...vm, status }, 'replace', '--raw', `${path}/status`, '-f', '-')
    await waiting.line(/^virtualmachine\.kubevirt\.io\/my-vm condition met$/)
    const gone = kubectl.start('wait', 'cm', 'waited', '--for=delete', '--timeout=60s')
    await kubectl.ok('delete', 'cm', 'waited')
    await gone.stop()
    expect(await kubectl.refused('', 'wait', 'vm', 'my-vm', '--for=condition=Never', '--timeout=1s')).toMatch(
      /timed out waiting for the condition/,
    )
  })

  test('deletes by name, by label and all; a held object stays until it is let go', async () => {
    for (const name of ['d1', 'd2', 'd3'])
      await kubectl.feed(configMap(name, {}, { labels: { batch: name === 'd1' ? 'a' : 'b' } }), 'create', '-f', '-')
    expect(await kubectl.ok('delete', 'cm', 'd1')).toMatch(/^configmap "d1" deleted/)
    expect((await kubectl.ok('delete', 'cm', '-l', 'batch=b')).split('\n').filter(Boolean)).toHaveLength(2)
    expect(await kubectl.refused('', 'delete', 'cm', 'd1')).toMatch(/NotFound.*configmaps "d1" not found/)
    await kubectl.feed(configMap('held', {}, { finalizers: ['example.com/hold'] }), 'create', '-f', '-')
    await kubectl.ok('delete', 'cm', 'held', '--wait=false')
    expect(await kubectl.ok('get', 'cm', 'held', '-o', 'jsonpath={.metadata.deletionTimestamp}')).not.toBe('')
    await kubectl.ok('patch', 'cm', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}')
    expect(await kubectl.refused('', 'get', 'cm', 'held')).toContain('NotFound')
  })

  test('edits with the editor of the user', async () => {
    await kubectl.feed(configMap('edited', { text: 'before' }), 'create', '-f', '-')
    const editor = join(fixture.dataDir, `editor-${binary.version}`)
    await writeFile(editor, '#!/bin/sh\nsed -i s/before/after/ "$1"\n')
    await chmod(editor, 0o755)
    const edit = await kubectl.run(['edit', 'cm', 'edited'], { env: { EDITOR: editor, KUBE_EDITOR: editor } })
    expect([edit.code, edit.stdout]).toEqual([0, 'configmap/edited edited\n'])
    expect(await kubectl.ok('get', 'cm', 'edited', '-o', 'jsonpath={.data.text}')).toBe('after')
  })

  test('patches in three ways; custom kinds have no strategic one', async () => {
    await kubectl.feed(configMap('patched', { a: '1' }), 'create', '-f', '-')
    await kubectl.ok('patch', 'cm', 'patched', '-p', '{"data":{"b":"2"}}')
    await kubectl.ok('patch', 'cm', 'patched', '--type=merge', '-p', '{"data":{"a":null}}')
    await kubectl.ok('patch', 'cm', 'patched', '--type=json', '-p', '[{"op":"add","path":"/data/c","value":"3"}]')
    expect(await kubectl.ok('get', 'cm', 'patched', '-o', 'jsonpath={.data}')).toBe('{"b":"2","c":"3"}')
    await kubectl.ok('patch', 'vm', 'my-vm', '--type=merge', '-p', '{"spec":{"runStrategy":"Halted"}}')
    expect(await kubectl.refused('', 'patch', 'vm', 'my-vm', '-p', '{"spec":{}}')).toMatch(
      /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json$/,
    )
  })

  test('labels, annotates and selects', async () => {
    await kubectl.ok('label', 'vm', 'my-vm', 'tier=db')
    expect(await kubectl.refused('', 'label', 'vm', 'my-vm', 'tier=web')).toContain('--overwrite')
    await kubectl.ok('label', 'vm', 'my-vm', 'tier=web', '--overwrite')
    expect(await kubectl.ok('get', 'vm', '-l', 'tier in (web)', '-L', 'tier')).toMatch(/TIER\nmy-vm .* web\n$/)
    await kubectl.ok('label', 'vm', 'my-vm', 'tier-')
    expect((await kubectl.run(['get', 'vm', '-l', 'tier'])).stderr).toMatch(/^No resources found/)
    await kubectl.ok('annotate', 'vmsnapshot', 'my-vmsnapshot', 'example.com/why=test')
    expect(await kubectl.ok('describe', 'vmsnapshot', 'my-vmsnapshot')).toContain('example.com/why: test')
  })

  test('explains kinds and fields', async () => {
    expect(await kubectl.ok('explain', 'vmsnapshot')).toMatch(/KIND: +VirtualMachineSnapshot\n/)
    expect(await kubectl.ok('explain', 'vmsnapshot.spec')).toMatch(/failureDeadline\s+<string>\s+Time the snapshot may/)
    expect(await kubectl.ok('explain', 'vmrestore.spec.targetReadinessPolicy')).toContain('WaitGracePeriod')
    expect(await kubectl.ok('explain', 'pvc.spec.storageClassName')).toContain('Class of the volume')
    expect(await kubectl.ok('explain', 'vm', '--recursive')).toContain('spec')
    // Old clients are given less of kinds that keep unknown fields, as by a real server.
    if (kubectl.atLeast(27)) expect(await kubectl.ok('explain', 'vm.spec.runStrategy')).toContain('Halted: not running')
  })

  test('lists what the server has', async () => {
    expect(await kubectl.ok('api-resources')).toMatch(/vmsnapshot,vmsnapshots +snapshot.kubevirt.io\/v1beta1 +true/)
    expect(await kubectl.ok('api-versions')).toContain('snapshot.kubevirt.io/v1alpha1\n')
    expect(await kubectl.ok('get', '--raw', '/readyz')).toBe('ok\n'.trim())
  })
})

describe.each(found)('the documentation with kubectl $version', (binary) => {
  let fixture: Fixture
  let kubectl: Kubectl
  const file = (name: string): string => join(fixture.dataDir, `${name}.yaml`)
  beforeAll(async () => {
    fixture = await Fixture.start()
    kubectl = await kubectlFor(binary, fixture)
    const vm = (await readFile(example('virtual-machine.yaml'), 'utf8'))
      .replace('runStrategy: Always', 'runStrategy: Halted')
      .replace(/http:\n.*\n.*url: .*/, 'blank: {}')
    await kubectl.feed(vm, 'create', '-f', '-')
  })
  afterAll(() => kubectl.ok('delete', 'vm', 'my-vm'))

  test('a snapshot is created, waited for, described; the VM is restored; the snapshot deleted', async () => {
    await writeFile(
      file('my-vmsnapshot'),
      `apiVersion: snapshot.kubevirt.io/v1beta1
kind: VirtualMachineSnapshot
metadata:
  name: my-vmsnapshot
spec:
  source:
    apiGroup: kubevirt.io
    kind: VirtualMachine
    name: my-vm
`,
    )
    await kubectl.ok('create', '-f', file('my-vmsnapshot'))
    await kubectl.ok('wait', 'vmsnapshot', 'my-vmsnapshot', '--for', 'condition=Ready', '--timeout=60s')
    // Events are written a moment after what they tell of.
    const events = kubectl.start('get', 'events', '-w', '--field-selector', 'involvedObject.name=my-vmsnapshot')
    await events.line(/VirtualMachineSnapshotComplete/)
    await events.stop()
    const described = await kubectl.ok('describe', 'vmsnapshot', 'my-vmsnapshot')
    expect(described).toMatch(/Phase: +Succeeded\n +Ready To Use: +true\n/)
    expect(described).toMatch(/^ +Normal +SuccessfulVirtualMachineSnapshotContentCreate /m)
    expect(described).toMatch(/^ +Normal +VirtualMachineSnapshotComplete /m)
    const content = /Virtual Machine Snapshot Content Name: +(\S+)/.exec(described)?.[1] ?? ''
    const backups = 'jsonpath={.spec.volumeBackups[*].persistentVolumeClaim.metadata.name}'
    expect((await kubectl.ok('get', 'vmsnapshotcontent', content, '-o', backups)).split(' ').sort()).toEqual([
      'my-vm-data',
      'my-vm-root',
    ])
    expect(await kubectl.ok('get', 'vmsnapshot')).toMatch(
      /\nmy-vmsnapshot +VirtualMachine +my-vm +Succeeded +true +\d+s/,
    )

    for (const [selector, found] of [
      ['spec.source.name=my-vm', 'virtualmachinesnapshot.snapshot.kubevirt.io/my-vmsnapshot\n'],
      ['spec.source.name=another', ''],
    ] as const)
      expect(await kubectl.ok('get', 'vmsnapshot', '--field-selector', selector, '-o', 'name')).toBe(found)

    await writeFile(
      file('my-vmrestore'),
      `apiVersion: snapshot.kubevirt.io/v1beta1
kind: VirtualMachineRestore
metadata:
  name: my-vmrestore
spec:
  target:
    apiGroup: kubevirt.io
    kind: VirtualMachine
    name: my-vm
  virtualMachineSnapshotName: my-vmsnapshot
`,
    )
    await kubectl.ok('create', '-f', file('my-vmrestore'))
    await kubectl.ok('wait', 'vmrestore', 'my-vmrestore', '--for', 'condition=Ready', '--timeout=60s')
    expect(await kubectl.ok('get', 'vmrestore', 'my-vmrestore')).toMatch(
      /\nmy-vmrestore +VirtualMachine +my-vm +true +\d+s/,
    )
    expect(await kubectl.ok('delete', 'vmsnapshot', 'my-vmsnapshot')).toMatch(/"my-vmsnapshot" deleted/)
    expect((await kubectl.run(['get', 'vmsnapshot'])).stderr).toMatch(/^No resources found/)
  })
})
