import { describe, expect, it } from 'vitest'
import { importsOf, violations } from './arrows.ts'

const server = 'packages/server/src'

describe('an import against an arrow is found', () => {
  const cases: [sentence: string, path: string, text: string][] = [
    ['a controller importing another', `${server}/snapshot/perform.ts`, `import { x } from '../restore/plan.ts'`],
    ['a clone importing the restore it makes', `${server}/clone/a.ts`, `import { x } from '../restore/patches.ts'`],
    ['a snapshot reaching for QEMU', `${server}/snapshot/plan.ts`, `import type { Qmp } from '../qemu/qmp.ts'`],
    ['the API server seeing a controller', `${server}/apiserver/http/a.ts`, `import '../../controller/loop.ts'`],
    ['a dynamic import', `${server}/kube/a.ts`, `const m = await import('../machine/a.ts')`],
    ['an import by package name', `${server}/qemu/a.ts`, `import { VirtualMachine } from '@stillpoint/api/kinds'`],
    ['a re-export', `${server}/csi/a.ts`, `export { a } from '../layers/store.ts'`],
    ['an import over several lines', `${server}/kube/a.ts`, `import {\n  a,\n  b,\n} from '../apiserver/a.ts'`],
    ['a volume asking QEMU for more than images', `${server}/volume/a.ts`, `import { Qmp } from '../qemu/qmp.ts'`],
    [
      'a webhook using more of the API server than certificates',
      `${server}/webhook/a.ts`,
      `import { a } from '../apiserver/api-server.ts'`,
    ],
    ['the API package using Node', 'packages/api/src/a.ts', `import { join } from 'node:path'`],
    ['the API package using another library', 'packages/api/src/a.ts', `import yaml from 'yaml'`],
    ['the console using the server', 'packages/console/src/a.ts', `import { a } from '@stillpoint/server/main'`],
    ['an area importing the wiring', `${server}/machine/a.ts`, `import { start } from '../main.ts'`],
    ['the product using what tests share', `${server}/machine/a.ts`, `import { x } from './testing/world.ts'`],
    ['an area nobody gave an arrow', `${server}/extra/a.ts`, ''],
  ]
  it.each(cases)('%s', (_, path, text) => expect(violations([{ path, text }])).toHaveLength(1))
})

describe('an import along an arrow is allowed', () => {
  const cases: [sentence: string, path: string, text: string][] = [
    ['the own area', `${server}/snapshot/perform.ts`, `import { plan } from './plan.ts'`],
    ['a controller using the client', `${server}/restore/plan.ts`, `import { Client } from '../kube/client.ts'`],
    ['a clone using the client', `${server}/clone/a.ts`, `import { Client } from '../kube/client.ts'`],
    ['a machine using QEMU', `${server}/machine/a.ts`, `import { Qmp } from '../qemu/qmp.ts'`],
    ['a volume using images', `${server}/volume/a.ts`, `import { create } from '../qemu/image.ts'`],
    ['a webhook making certificates', `${server}/webhook/a.ts`, `import('../apiserver/pki/issue.ts')`],
    ['layers using QEMU', `${server}/layers/a.ts`, `import { Qmp } from '../qemu/qmp.ts'`],
    ['a command using anything', `${server}/cli/a.ts`, `import { a } from '../layers/store.ts'`],
    ['main using anything', `${server}/main.ts`, `import { a } from './snapshot/perform.ts'`],
    ['a test using anything', `${server}/kube/a.test.ts`, `import { a } from '../apiserver/server.ts'`],
    ['what tests share using anything', `${server}/kube/testing/a.ts`, `import { a } from '../../apiserver/server.ts'`],
    ['libraries in the server', `${server}/kube/a.ts`, `import pino from 'pino'`],
    ['zod in the API package', 'packages/api/src/a.ts', `import { z } from 'zod'`],
    ['an import inside a comment line', `${server}/kube/a.ts`, `// import { a } from '../machine/a.ts'`],
  ]
  it.each(cases)('%s', (_, path, text) => expect(violations([{ path, text }])).toEqual([]))
})

it('every form of import is read', () => {
  const text = `import a from 'a'\nimport 'b'\nexport * from 'c'\nconst d = () => import('d')\nimport type { E } from "e"\n`
  expect(importsOf(text).sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
})
