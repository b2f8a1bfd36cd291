import type { KubeObject, ListMeta } from '@stillpoint/api/meta/object-meta'
import type { ResourceDefinition } from '@stillpoint/api/schema/resource'
import { builtinPrinters } from './builtin-printers.ts'
import { columnPrinter } from './columns.ts'
import { nameColumn, type Printer } from './printer.ts'

export interface TableOptions {
  includeObject: 'None' | 'Metadata' | 'Object'
  /** False for all events of a watch but the first. Default true. */
  columnDefinitions?: boolean
}

// Compiling paths costs more than a row; definitions live as long as the server.
const printers = new WeakMap<ResourceDefinition, Printer>()

/** The meta.k8s.io/v1 Table that `kubectl get` prints. */
export function toTable(
  def: ResourceDefinition,
  items: readonly KubeObject[],
  listMeta: ListMeta,
  options: TableOptions,
  now: Date,
): object {
  const printer = printerOf(def)
  const named = printer.named !== false
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: listMeta,
    columnDefinitions:
      options.columnDefinitions === false ? null : [...(named ? [nameColumn] : []), ...printer.columns],
    rows: items.map((item) => ({
      cells: [...(named ? [printer.name?.(item) ?? item.metadata.name] : []), ...printer.cells(item, now)],
      ...rowObject(item, options.includeObject),
    })),
  }
}

function printerOf(def: ResourceDefinition): Printer {
  let printer = printers.get(def)
  if (printer === undefined) {
    const builtin = def.origin === 'builtin' ? builtinPrinters[`${def.group}/${def.kind}`] : undefined
    printer = builtin ?? columnPrinter(def.columns)
    printers.set(def, printer)
  }
  return printer
}

function rowObject(item: KubeObject, include: TableOptions['includeObject']): { object?: object } {
  if (include === 'None') return {}
  if (include === 'Object') return { object: item }
  return { object: partialMetadata(item) }
}

/** The form of an object that carries only its metadata. */
export function partialMetadata(item: KubeObject): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: item.metadata }
}
