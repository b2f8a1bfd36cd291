import { expect, test } from 'vitest'
import { notFound } from '../registry/errors.ts'
import { failureAnswer } from './answer.ts'

const messageOf = (error: unknown): unknown => {
  const { code, body } = failureAnswer(error)
  const { message } = JSON.parse(String(body)) as { message: string }
  return [code, message]
}

test('what was refused is answered as it is', () => {
  const error = notFound({ group: '', plural: 'secrets', kind: 'Secret' }, 'x')
  expect(messageOf(error)).toEqual([404, 'secrets "x" not found'])
})

test('what failed is answered with all its causes', () => {
  const error = new Error('the store could not write', { cause: new Error('database or disk is full') })
  const message = 'Internal error occurred: the store could not write: database or disk is full'
  expect(messageOf(error)).toEqual([500, message])
  expect(messageOf('text')).toEqual([500, 'Internal error occurred: text'])
})
