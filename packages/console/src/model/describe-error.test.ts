import { failure, StatusError } from '@stillpoint/api/meta/status-error'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { describeError, type ErrorText } from './describe-error.ts'

const named = (name: string, message: string) => Object.assign(new Error(message), { name })
const cause = (field: string, message: string) => ({ reason: 'FieldValueInvalid', field, message })

const cases: Record<string, [unknown, Partial<ErrorText>]> = {
  'a name that is taken': [
    failure(409, 'AlreadyExists', 'vmsnapshots "a" already exists'),
    {
      title: 'It exists already',
      detail: 'vmsnapshots "a" already exists',
      remedy: 'Choose another name.',
      code: '409 AlreadyExists',
    },
  ],
  'a right that is missing': [
    failure(403, 'Forbidden', 'jo may not do that'),
    { title: 'It is not allowed', remedy: 'Ask an administrator for a role that allows it.' },
  ],
  'a quota': [
    failure(403, 'Forbidden', 'pvc "a" is forbidden: exceeded quota: storage'),
    { remedy: 'Delete what is not needed any more, or ask an administrator for a larger quota.' },
  ],
  'a page that is older than its session': [
    failure(
      403,
      'Forbidden',
      'the request is refused: its header X-CSRFToken is not the value of the cookie csrf-token',
    ),
    { remedy: 'Load this page again, then repeat.' },
  ],
  'another restore at work': [
    failure(422, 'Invalid', 'x', { causes: [cause('spec.target', 'VirtualMachineRestore "r" in progress')] }),
    { detail: 'spec.target: VirtualMachineRestore "r" in progress' },
  ],
  'a refusal of a webhook': [
    failure(422, 'Invalid', 'admission webhook "v.example" denied the request: VirtualMachineRestore "r" in progress'),
    {
      title: 'The request was refused',
      detail: 'VirtualMachineRestore "r" in progress',
      remedy: 'Wait until that restore is complete, or delete it to give it up.',
    },
  ],
  'fields, each once': [
    failure(422, 'Invalid', 'x', { causes: [cause('a', 'wrong'), cause('a', 'wrong'), cause('b', 'wrong too')] }),
    { detail: 'a: wrong; b: wrong too' },
  ],
  'many fields': [
    failure(422, 'Invalid', 'x', { causes: Array.from({ length: 8 }, (_, at) => cause(`f${at}`, 'wrong')) }),
    { detail: 'f0: wrong; f1: wrong; f2: wrong; f3: wrong; f4: wrong; and 3 more' },
  ],
  'causes without a field': [
    failure(422, 'Invalid', 'all wrong', { causes: [{ message: 'x' }] }),
    { detail: 'all wrong' },
  ],
  'a lock': [
    failure(409, 'Conflict', 'Cannot start VM until restore "r" completes'),
    { title: 'It was changed meanwhile', remedy: 'Wait until that has ended, then repeat.' },
  ],
  'a server that says when': [
    failure(429, 'TooManyRequests', 'slow down', { retryAfterSeconds: 7 }),
    { title: 'The server has too much to do', remedy: 'Repeat it in 7 s.' },
  ],
  'a code without a reason': [failure(503, '', 'down'), { title: 'The server cannot be used now', code: '503' }],
  'a code nobody knows': [failure(418, '', 'teapot'), { title: 'The server answered 418', detail: 'teapot' }],
  'a reason nobody knows': [
    failure(400, 'constructor', 'odd'),
    { title: 'The request was refused', code: '400 constructor' },
  ],
  'a Status as it travels': [
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 404, reason: 'NotFound', message: 'no' },
    { title: 'It is not there', detail: 'no', code: '404 NotFound' },
  ],
  'a Status without a word': [
    new StatusError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' }),
    { title: 'The server answered 500', detail: 'No reason was given.', code: '500' },
  ],
  'no connection': [
    named('ConnectionError', 'the server cannot be reached'),
    { title: 'The server cannot be reached', code: 'Network' },
  ],
  'no connection, as Chromium says it': [new TypeError('Failed to fetch'), { code: 'Network' }],
  'no connection, as Firefox says it': [
    new TypeError('NetworkError when attempting to fetch resource.'),
    { code: 'Network' },
  ],
  'no connection, as Safari says it': [new TypeError('Load failed'), { code: 'Network' }],
  'no answer in time': [
    named('TimeoutError', 'signal timed out'),
    { title: 'The server is too slow', code: 'Timeout' },
  ],
  'a request that was given up': [named('AbortError', 'aborted'), { title: 'It was given up' }],
  'a fault of ours': [new TypeError('x is undefined'), { title: 'The console failed', detail: 'x is undefined' }],
  'an error of its own': [
    named('GoneError', 'it went'),
    { title: 'It did not work', detail: 'it went', code: 'GoneError' },
  ],
  'a text': ['broken', { title: 'It did not work', detail: 'broken', code: 'Error' }],
  'an object that cannot be told': [{ toString: 1 }, { detail: 'Something was thrown that is no error.' }],
  nothing: [undefined, { title: 'It did not work', detail: 'undefined' }],
}
test.each(Object.entries(cases))('%s', (_, [error, expected]) => expect(describeError(error)).toMatchObject(expected))

test('whatever is thrown is told in words, and never with a stack', () =>
  fc.assert(
    fc.property(
      fc.oneof(
        fc.anything(),
        fc.string().map((text) => new Error(text)),
      ),
      (thrown) => {
        const { title, detail, code } = describeError(thrown)
        for (const text of [title, detail, code]) expect(text).not.toBe('')
        expect(detail).not.toMatch(/\n\s+at /)
      },
    ),
  ))
