import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { accountMetrics } from '../layers/metrics.ts'
import { Metrics } from './metrics.ts'

const root = join(import.meta.dirname, '../../../..')
const page = readFileSync(join(root, 'docs/metrics.md'), 'utf8')

test('the page lists every metric with its type and labels, and no other', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (gauge|counter|histogram) \| (.*?) ?\| \S/gm)]
  const documented = rows.map(([, name, type, labels = '']) => ({
    name,
    type,
    labels: [...labels.matchAll(/`([a-z_]+)`/g)].map(([, label]) => label),
  }))
  const holder = { id: 'x', uniqueBytes: 0, sharedBytes: 0 }
  const storage = accountMetrics({ storeBytes: 0, volumes: [holder], snapshots: [holder] })
  const ofStorage = [...storage.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({
    name,
    type,
    labels: storage.includes(`\n${name}{id=`) ? ['id'] : [],
  }))
  expect(documented).toEqual([...new Metrics().families, ...ofStorage])
})

test('the rules have the names that KubeVirt gives them, and no metric that nobody has', () => {
  const text = readFileSync(join(root, 'examples/prometheus-rules.yaml'), 'utf8')
  const { spec } = parse(text) as { spec: { groups: { rules: { record?: string; expr: string }[] }[] } }
  const rules = spec.groups.flatMap((group) => group.rules)
  const records = rules.flatMap(({ record }) => record ?? [])
  expect(records).toEqual([
    'pvc:kubevirt_vmsnapshot_labels:info',
    'vm:kubevirt_vmsnapshot_disks_restored:sum',
    'vm:kubevirt_vmsnapshot_restored_bytes:sum',
    'kubevirt_vmsnapshot_persistentvolumeclaim_labels',
    'kubevirt_vmsnapshot_disks_restored_from_source',
    'kubevirt_vmsnapshot_disks_restored_from_source_bytes',
  ])
  const known = [...records, ...new Metrics().families.map(({ name }) => name)]
  const used = rules.flatMap(({ expr }) => expr.match(/\b(?:stillpoint|pvc:|vm:)[a-z_:]+/g) ?? [])
  expect(used.length).toBeGreaterThan(0)
  for (const name of used) expect(known).toContain(name)
})
