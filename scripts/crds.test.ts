import { expect, test } from 'vitest'
import { clusterKinds } from '../packages/api/src/kinds.ts'
import { committedCrds, wantedCrds } from './crds.ts'

test('the committed definitions say what the schemas say; if not: npm run crds', () => {
  expect([...committedCrds().keys()].sort()).toEqual([...wantedCrds().keys()].sort())
  for (const [name, text] of wantedCrds()) expect(committedCrds().get(name), name).toBe(text)
  expect(wantedCrds().size).toBe(clusterKinds.length)
})
