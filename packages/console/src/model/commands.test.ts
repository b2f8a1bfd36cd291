import { execFileSync } from 'node:child_process'
import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { type CommandAction, commandFor, commandsFor, quote } from './commands.ts'
import { snapshot, vm } from './testing/objects.ts'

const small = (name: string, namespace?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
})

const cases: Record<string, [CommandAction, string]> = {
  create: [
    { do: 'create', object: small('a', 'shop') },
    "kubectl create -f - <<'EOF'\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: shop\nEOF",
  ],
  'delete one': [
    { do: 'delete', objects: [snapshot()] },
    'kubectl delete -n shop virtualmachinesnapshot.snapshot.kubevirt.io/snap',
  ],
  'delete several, here and there': [
    { do: 'delete', objects: [small('a', 'shop'), small('b', 'other'), small('c', 'shop'), small('d')] },
    'kubectl delete -n shop configmap/a configmap/c &&\nkubectl delete -n other configmap/b &&\nkubectl delete configmap/d',
  ],
  patch: [
    { do: 'patch', object: vm(), patch: { spec: { runStrategy: "it's" } } },
    `kubectl patch -n shop virtualmachine.kubevirt.io/web-1 --type merge -p '{"spec":{"runStrategy":"it'\\''s"}}'`,
  ],
  'patch a status by operations': [
    { do: 'patch', object: vm(), patch: [], type: 'json', subresource: 'status' },
    "kubectl patch -n shop virtualmachine.kubevirt.io/web-1 --subresource status --type json -p '[]'",
  ],
  wait: [
    { do: 'wait', object: snapshot(), condition: 'Ready', timeout: '5m' },
    'kubectl wait -n shop virtualmachinesnapshot.snapshot.kubevirt.io/snap --for condition=Ready --timeout 5m',
  ],
  start: [{ do: 'start', vm: vm() }, 'virtctl start -n shop web-1'],
  stop: [{ do: 'stop', vm: vm() }, 'virtctl stop -n shop web-1'],
  restart: [{ do: 'restart', vm: vm() }, 'virtctl restart -n shop web-1'],
  pause: [{ do: 'pause', vm: vm() }, 'virtctl pause vm -n shop web-1'],
  unpause: [{ do: 'unpause', vm: vm() }, 'virtctl unpause vm -n shop web-1'],
}
test.each(Object.entries(cases))('%s', (_, [action, expected]) => expect(commandFor(action)).toBe(expected))

test('several are one command each, the next only when the one before has succeeded', () => {
  const create: CommandAction = { do: 'create', object: small('a') }
  const text = commandsFor([create, { do: 'wait', object: small('a'), condition: 'Ready', timeout: '5m' }, create])
  const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\nEOF\n'
  expect(`${text}\n`).toBe(
    `kubectl create -f - <<'EOF' &&\n${yaml}kubectl wait configmap/a --for condition=Ready --timeout 5m &&\n` +
      `kubectl create -f - <<'EOF'\n${yaml}`,
  )
  const log = execFileSync('sh', ['-c', `kubectl() { echo "$1"; [ "$1" != wait ]; }\n${text}\ntrue`], {
    encoding: 'utf8',
  })
  expect(log).toBe('create\nwait\n')
  expect(commandsFor([])).toBe('')
})

/** What a shell hands to the program: its arguments, and its input after the last. */
function run(command: string): { args: string[]; input: string } {
  // Standing in for the programs: each argument and its input, ended by NUL.
  const stub = `told() { for word in "$@"; do printf '%s\\0' "$word"; done; if [ "$1" = create ]; then cat; fi; }
kubectl() { told "$@"; }
virtctl() { told "$@"; }
`
  const output = execFileSync('sh', ['-c', stub + command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const parts = output.split('\0')
  return { args: parts.slice(0, -1), input: parts.at(-1) ?? '' }
}

const nasty = fc.constantFrom(
  "'",
  "'\\''",
  '"',
  '\\',
  '`id`',
  '$(id)',
  '$HOME',
  '\u202e',
  'a\\tb',
  '\n',
  '\nEOF\n',
  'EOF',
  '\r',
  '\t',
  '!',
  '~',
  '#',
  '*',
  '; id',
  '&& id',
  '\u001b[201~',
  '\u009b',
  '\u2028',
  '\u0085',
  '\ufeff',
  '\ud800',
  'yes',
  '012',
  '1e3',
  '- ',
  ': ',
  '%d',
)
/** Texts a shell may see; it can be told no NUL. */
const word = fc
  .array(fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 8 })), { maxLength: 4 })
  .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed())
const text = fc.array(fc.oneof(nasty, fc.string({ unit: 'binary' })), { maxLength: 4 }).map((parts) => parts.join(''))

test('a quoted word reaches the program as it was', () =>
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
      expect(run(`kubectl ${words.map(quote).join(' ')}`).args).toEqual(words)
    }),
  ))

const object = fc.record({
  apiVersion: fc.constant('v1'),
  kind: fc.constant('ConfigMap'),
  metadata: fc.record({ name: text, annotations: fc.dictionary(word, text, { noNullPrototype: true }) }),
  data: fc.oneof(text, fc.array(text), fc.integer(), fc.boolean(), fc.constant(null)),
})

/** What the API stores of it: half a character is none. */
const wellFormed = (value: unknown): unknown =>
  JSON.parse(Buffer.from(JSON.stringify(value)).toString(), (_, part) =>
    typeof part === 'string' ? part.toWellFormed() : part,
  )

test('whatever an object holds, kubectl is given that and nothing else is run', () =>
  fc.assert(
    fc.property(object, (given) => {
      const { args, input } = run(commandFor({ do: 'create', object: given }))
      expect(args).toEqual(['create', '-f', '-'])
      expect(parse(input, { version: '1.1' })).toEqual(wellFormed(given))
      // Nothing a terminal would obey when it is pasted.
      expect(input).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u)
    }),
  ))

test('whatever a patch holds, kubectl is given that', () =>
  fc.assert(
    fc.property(object, word, (patch, name) => {
      const { args } = run(commandFor({ do: 'patch', object: small(name, 'shop'), patch }))
      expect(args.slice(0, -1)).toEqual(['patch', '-n', 'shop', `configmap/${name}`, '--type', 'merge', '-p'])
      // Not JSON.parse: V8 13.6 takes a key "\\ufeff" for "\\" once it has seen that in an object of the same shape.
      expect(parse(args.at(-1) ?? '', { version: '1.2' })).toEqual(patch)
    }),
  ))
