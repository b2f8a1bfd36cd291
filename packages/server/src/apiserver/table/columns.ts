import type { KubeObject } from '@stillpoint/api/meta/object-meta'
import type { Column } from '@stillpoint/api/schema/resource'
import { sortKeys } from '../json.ts'
import { ageOf } from './age.ts'
import { compileJsonPath } from './json-path.ts'
import type { Printer } from './printer.ts'

/** A printer for the columns a custom kind declares. */
export function columnPrinter(columns: readonly Column[]): Printer {
  const paths = columns.map((column) => compileJsonPath(column.jsonPath))
  return {
    columns: columns.map(({ name, type, jsonPath, priority }) => ({
      name,
      type,
      format: '',
      description: `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority: priority ?? 0,
    })),
    cells: (object: KubeObject, now: Date) =>
      columns.map(({ type }, index) => cell(type, paths[index]?.(object) ?? [], now)),
  }
}

/** A cell is null where there is nothing to show, or nothing of the column's type. */
function cell(type: Column['type'], results: readonly unknown[], now: Date): unknown {
  const [first] = results
  if (first === undefined || first === null) return null
  switch (type) {
    case 'string':
      return results.map(printed).join(' ')
    case 'integer':
      return typeof first === 'number' ? Math.trunc(first) : null
    case 'number':
      return typeof first === 'number' ? first : null
    case 'boolean':
      return typeof first === 'boolean' ? first : null
    case 'date':
      return (typeof first === 'string' && ageOf(first, now)) || '<invalid>'
    default:
      return type satisfies never
  }
}

function printed(value: unknown): string {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(sortKeys(value)) : String(value)
}
