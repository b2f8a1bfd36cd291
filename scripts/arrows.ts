/**
 * Checks which part of the code may import which: `node scripts/arrows.ts`.
 * The arrows are what keeps a snapshot controller from knowing QEMU, and the API server from knowing a controller.
 */
import { globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix, relative, resolve, sep } from 'node:path'

/** Area → the other areas of ours it may import. `api` is packages/api, `console` packages/console. */
const ALLOWED: Record<string, readonly string[]> = {
  api: [],
  console: ['api'],
  apiserver: ['api'],
  kube: ['api'],
  controller: ['kube', 'api'],
  snapshot: ['controller', 'kube', 'api'],
  restore: ['controller', 'kube', 'api'],
  clone: ['controller', 'kube', 'api'],
  webhook: ['controller', 'kube', 'api', 'apiserver'],
  metrics: ['controller', 'kube', 'api'],
  web: ['kube', 'api', 'apiserver'],
  machine: ['controller', 'kube', 'api', 'qemu', 'csi'],
  volume: ['controller', 'kube', 'api', 'qemu', 'csi'],
  qemu: [],
  csi: [],
  layers: ['csi', 'qemu'],
}
/** What of another area an area may import, where that is not all. A volume is made of images, machines are none of its business. */
const ONLY_FILES: Record<string, RegExp> = {
  // A webhook answers another API server; of ours it takes how certificates are made.
  'webhook → apiserver': /^packages\/server\/src\/apiserver\/pki\/issue\.ts$/,
  // It stands before any Kubernetes API; of ours it takes how HTTP is spoken.
  'web → apiserver':
    /^packages\/server\/src\/apiserver\/http\/(?:answer|body|extensions|negotiate|refuse-upgrade)\.ts$/,
  'volume → qemu': /^packages\/server\/src\/qemu\/(?:image[^/]*|durable-file|direct-io)\.ts$/,
}
/** Libraries an area is held to, where that matters: `api` must run in a browser as well. */
const LIBRARIES: Record<string, readonly string[]> = { api: ['zod', 're2js'] }

export interface SourceFile {
  /** From the project's root, with slashes. */
  path: string
  text: string
}

/** Tests, and the folders of what they share. */
const isTest = (path: string) => path.endsWith('.test.ts') || path.includes('/testing/')

/** One sentence for each import that goes against an arrow. Tests may import what they like; nothing may import them. */
export function violations(files: SourceFile[]): string[] {
  return files.filter((file) => !isTest(file.path)).flatMap(violationsIn)
}

function violationsIn({ path, text }: SourceFile): string[] {
  const area = areaOf(path)
  const allowed = area === undefined ? undefined : ALLOWED[area]
  // main.ts, system.ts beside it, and the commands wire everything together.
  if (area === undefined || area === 'cli' || area === 'wiring') return []
  if (!allowed) return [`${path}: the area "${area}" is unknown; say in scripts/arrows.ts what it may import`]

  return importsOf(text).flatMap((specifier) => {
    const target = targetOf(path, specifier)
    if (target === undefined) {
      const libraries = LIBRARIES[area]
      if (!libraries) return []
      const library = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
      if (!isBuiltin(specifier) && libraries.includes(library)) return []
      return [`${path}: ${area} may import no library but ${libraries.join(', ')}, and imports ${specifier}`]
    }
    if (isTest(target)) return [`${path}: what is not a test must not import one, and imports ${specifier}`]
    const to = areaOf(target)
    if (to === area) return []
    if (to === undefined || !allowed.includes(to)) {
      const may = allowed.length > 0 ? `only ${allowed.join(', ')}` : 'nothing else of ours'
      return [`${path}: ${area} may import ${may}, and imports ${to ?? target} (${specifier})`]
    }
    const only = ONLY_FILES[`${area} → ${to}`]
    return only && !only.test(target)
      ? [`${path}: of ${to}, ${area} may import only ${only.source}, and imports ${target}`]
      : []
  })
}

/** The modules a source text names: import, export from, import(). */
export function importsOf(text: string): string[] {
  const statements = /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]/gm
  const calls = /\bimport\(\s*['"]([^'"]+)['"]/g
  return [...text.matchAll(statements), ...text.matchAll(calls)].map((m) => m[1] ?? m[2] ?? '')
}

/** The file of ours an import names, or undefined when it is a library. */
function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier)
  const own = /^@stillpoint\/(\w+)(?:\/(.*))?$/.exec(specifier)
  return own ? `packages/${own[1]}/src/${own[2] ?? 'index'}.ts` : undefined
}

function areaOf(path: string): string | undefined {
  const [, name, inside] = /^packages\/(api|console|server)\/(?:src\/)?(.*)$/.exec(path) ?? []
  if (name === 'api' || name === 'console') return name
  if (inside === undefined) return undefined
  return inside.includes('/') ? inside.slice(0, inside.indexOf('/')) : 'wiring'
}

if (import.meta.main) {
  const root = resolve(import.meta.dirname, '..')
  const found = violations(
    globSync('packages/*/src/**/*.{ts,tsx}', { cwd: root }).map((path) => ({
      path: relative(root, join(root, path)).split(sep).join('/'),
      text: readFileSync(join(root, path), 'utf8'),
    })),
  )
  for (const line of found) console.error(line)
  if (found.length > 0) process.exitCode = 1
}
