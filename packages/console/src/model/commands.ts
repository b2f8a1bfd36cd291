import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import { shellJson, shellYaml } from './shell-yaml.ts'

/** Something the console does that a command line can do as well. */
export type CommandAction =
  | { do: 'create'; object: KubeObject }
  | { do: 'delete'; objects: readonly KubeObject[] }
  | { do: 'patch'; object: KubeObject; patch: unknown; type?: 'merge' | 'json'; subresource?: string }
  | { do: 'wait'; object: KubeObject; condition: string; timeout: string }
  | { do: 'start' | 'stop' | 'restart' | 'pause' | 'unpause'; vm: KubeObject }

/** The same by command line, to be pasted into a shell: nothing in an object or a name is more to it than text. */
export function commandFor(action: CommandAction): string {
  return commandsFor([action])
}

/** Several, one after the other; the next only when the one before has succeeded. */
export function commandsFor(actions: readonly CommandAction[]): string {
  return actions
    .flatMap(linesFor)
    .map(({ line, input = '' }, at, all) => `${line}${at < all.length - 1 ? ' &&' : ''}${input}`)
    .join('\n')
}

interface CommandLine {
  line: string
  /** The document that is its standard input, from the line break on. */
  input?: string
}

function linesFor(action: CommandAction): CommandLine[] {
  switch (action.do) {
    case 'create':
      return [heredoc('kubectl create -f -', shellYaml(action.object))]
    case 'delete':
      return deletions(action.objects)
    case 'patch': {
      const { object, patch, type = 'merge', subresource } = action
      const of = subresource === undefined ? [] : ['--subresource', subresource]
      return [words('kubectl', 'patch', ...where(object), ...of, '--type', type, '-p', shellJson(patch))]
    }
    case 'wait': {
      const { object, condition, timeout } = action
      return [words('kubectl', 'wait', ...where(object), '--for', `condition=${condition}`, '--timeout', timeout)]
    }
    case 'start':
    case 'stop':
    case 'restart':
      return [words('virtctl', action.do, ...namespaceFlag(action.vm), action.vm.metadata.name)]
    case 'pause':
    case 'unpause':
      return [words('virtctl', action.do, 'vm', ...namespaceFlag(action.vm), action.vm.metadata.name)]
    default:
      throw new Error(`unknown action ${JSON.stringify(action satisfies never)}`)
  }
}

function deletions(objects: readonly KubeObject[]): CommandLine[] {
  const byNamespace = Map.groupBy(objects, ({ metadata }) => metadata.namespace)
  return [...byNamespace].map(([namespace, group]) =>
    words('kubectl', 'delete', ...namespaceFlag({ metadata: { namespace } }), ...group.map(resourceName)),
  )
}

function where(object: KubeObject): string[] {
  return [...namespaceFlag(object), resourceName(object)]
}

function namespaceFlag({ metadata }: { metadata: { namespace?: string | undefined } }): string[] {
  return metadata.namespace === undefined ? [] : ['-n', metadata.namespace]
}

/** `virtualmachinesnapshot.snapshot.kubevirt.io/name`: short names are shared between groups. */
function resourceName({ apiVersion, kind, metadata }: KubeObject): string {
  const slash = apiVersion.indexOf('/')
  const group = slash < 0 ? '' : `.${apiVersion.slice(0, slash)}`
  return `${kind.toLowerCase()}${group}/${metadata.name}`
}

function words(...all: string[]): CommandLine {
  return { line: all.map(quote).join(' ') }
}

/** One word of a POSIX shell. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** The quoted delimiter switches off every expansion, and is no line of the text. */
function heredoc(command: string, text: string): CommandLine {
  const lines = new Set(text.split('\n'))
  let delimiter = 'EOF'
  for (let count = 2; lines.has(delimiter); count++) delimiter = `EOF${count}`
  return { line: `${command} <<'${delimiter}'`, input: `\n${text}${delimiter}` }
}
