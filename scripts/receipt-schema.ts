/** Writes docs/receipt.schema.json from the code: `node scripts/receipt-schema.ts`. A test finds it outdated. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { receipt } from '../packages/api/src/snapshot/receipt.ts'

export const receiptSchemaFile = join(import.meta.dirname, '../docs/receipt.schema.json')

/** The JSON schema of the annotation `snapshot.stillpoint.dev/receipt`, as text. */
export function receiptSchema(): string {
  const schema = z.toJSONSchema(receipt, { target: 'draft-2020-12', io: 'input' })
  return `${JSON.stringify({ title: 'Snapshot receipt', ...schema }, undefined, 2)}\n`
}

if (import.meta.main) writeFileSync(receiptSchemaFile, receiptSchema())
