import type { KubeObject } from '@stillpoint/api/meta/object-meta'

/** A column of a meta.k8s.io/v1 Table. */
export interface ColumnDefinition {
  name: string
  type: string
  format: string
  description: string
  /** Above 0: shown by `-o wide` only. */
  priority: number
}

/** Turns objects of one kind into rows; the name column is put before them. */
export interface Printer {
  columns: ColumnDefinition[]
  cells(object: KubeObject, now: Date): unknown[]
  /** What the name column shows, if more than the name. */
  name?(object: KubeObject): string
  /** False if the printer has its own place for the name. */
  named?: boolean
}

export const nameColumn: ColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name, unique among objects of the kind in the namespace.',
  priority: 0,
}
