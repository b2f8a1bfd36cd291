/** `npm run crds`: writes packages/api/crds from the schemas of the kinds a cluster gets from us. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { clusterKinds } from '../packages/api/src/kinds.ts'
import { crdFileName, customResourceDefinition } from '../packages/api/src/schema/crd.ts'

const directory = resolve(import.meta.dirname, '../packages/api/crds')

/** File name → text, as the schemas say it now. */
export function wantedCrds(): Map<string, string> {
  return new Map(
    clusterKinds.map((definition) => [
      crdFileName(definition),
      `# Written by npm run crds; not to be edited.\n${stringify(customResourceDefinition(definition), {
        lineWidth: 120,
        aliasDuplicateObjects: false,
      })}`,
    ]),
  )
}

/** File name → text, as committed. */
export function committedCrds(): Map<string, string> {
  return new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), 'utf8')]))
}

if (import.meta.main) {
  mkdirSync(directory, { recursive: true })
  const wanted = wantedCrds()
  for (const name of readdirSync(directory)) if (!wanted.has(name)) rmSync(join(directory, name))
  for (const [name, text] of wanted) writeFileSync(join(directory, name), text)
}
