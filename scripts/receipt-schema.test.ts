import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { receiptSchema, receiptSchemaFile } from './receipt-schema.ts'

test('the published schema of receipts is what the code writes (else: node scripts/receipt-schema.ts)', () => {
  expect(readFileSync(receiptSchemaFile, 'utf8')).toBe(receiptSchema())
})
