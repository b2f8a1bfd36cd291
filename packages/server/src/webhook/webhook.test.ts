import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { kinds } from '@stillpoint/api/kinds'
import { snapshotAdmission } from '@stillpoint/api/snapshot/admission'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBench } from '../controller/testing/bench.ts'
import { mutate, validate } from './answer.ts'
import { makeCertificate } from './certificate.ts'
import {
  configurationName,
  configured,
  MutatingWebhookConfiguration,
  register,
  ValidatingWebhookConfiguration,
} from './configuration.ts'
import { webhooksOf } from './paths.ts'
import { parseReview, ReviewError } from './review.ts'
import { namesOf, parseTarget } from './target.ts'
import { asWebhook } from './testing/drivers.ts'

let driver: Awaited<ReturnType<typeof asWebhook>>
beforeAll(async () => {
  driver = await asWebhook()
})
afterAll(() => driver.close())

const source = { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: 'my-vm' }
const review = (request: object = {}, object: object | null = snapshot({ source })) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'u-1',
    resource: { group: 'snapshot.kubevirt.io', version: 'v1beta1', resource: 'virtualmachinesnapshots' },
    namespace: 'ns',
    operation: 'CREATE',
    object,
    ...request,
  },
})
function snapshot(spec?: unknown, metadata: object = { name: 'snap', namespace: 'ns' }) {
  return { apiVersion: 'snapshot.kubevirt.io/v1beta1', kind: 'VirtualMachineSnapshot', metadata, spec }
}
const validatePath = '/validate/virtualmachinesnapshots'
const mutatePath = '/mutate/virtualmachinesnapshots'

describe('what is asked wrongly is refused with a text', () => {
  const wrong: Record<string, [path: string, body: unknown, code: number, text: RegExp]> = {
    'no JSON': [validatePath, '{"a":', 400, /^the body is not JSON: /],
    'an empty body': [validatePath, '', 400, /^the body is not JSON: /],
    'no review': [validatePath, '[]', 400, /^not an AdmissionReview of admission.k8s.io\/v1: the body: /],
    'an older review': [
      validatePath,
      { ...review(), apiVersion: 'admission.k8s.io/v1beta1' },
      400,
      /^not an AdmissionReview of admission.k8s.io\/v1: apiVersion: must be admission.k8s.io\/v1$/,
    ],
    'no request': [validatePath, { ...review(), request: null }, 400, /: request: /],
    'no uid': [validatePath, review({ uid: '' }), 400, /: request\.uid: /],
    'an unknown operation': [validatePath, review({ operation: 'LOOK' }), 400, /: request\.operation: /],
    'an object without metadata': [
      validatePath,
      review({}, { apiVersion: 'v1', kind: 'X' }),
      400,
      /object\.metadata: /,
    ],
    'no object': [validatePath, review({}, null), 400, /^request\.object: missing in a review of CREATE$/],
    'an update without the old object': [validatePath, review({ operation: 'UPDATE' }), 400, /^request\.oldObject: /],
    'another resource': [
      '/validate/virtualmachinerestores',
      review(),
      400,
      /^request\.resource: this path is for virtualmachinerestores\.snapshot\.kubevirt\.io, not virtualmachinesnapshots\./,
    ],
    'another path': ['/validate/pods', review(), 404, /^there is no webhook at \/validate\/pods$/],
    'too much': [validatePath, `"${'x'.repeat(9 * 2 ** 20)}"`, 413, /^the body exceeds 8388608 bytes$/],
  }
  test.each(Object.entries(wrong))('%s', async (_, [path, body, code, text]) => {
    const reply = await driver.client.post(path, body)
    expect([reply.code, reply.text]).toEqual([code, expect.stringMatching(text)])
  })

  test('another method, another type', async () => {
    expect((await driver.client.get(validatePath)).code).toBe(405)
    expect((await driver.client.post(validatePath, '{}', { contentType: 'text/plain' })).code).toBe(415)
  })
})

test('it tells that it is ready', async () => {
  expect(await driver.client.get('/readyz')).toMatchObject({ code: 200, text: 'ok' })
})

test('an operation the rule has nothing to say about is allowed', async () => {
  const { body } = await driver.client.post(validatePath, review({ operation: 'DELETE' }, null))
  expect(body).toEqual({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'u-1', allowed: true },
  })
})

test('a refusal has code, reason, causes, and a message without the name of the webhook', async () => {
  const { body } = await driver.client.post(validatePath, review({}, snapshot({ source: { ...source, kind: 'Pod' } })))
  expect(body.response).toEqual({
    uid: 'u-1',
    allowed: false,
    status: {
      status: 'Failure',
      code: 422,
      reason: 'Invalid',
      message: 'invalid kind',
      details: { causes: [{ reason: 'FieldValueInvalid', field: 'spec.source.kind', message: 'invalid kind' }] },
    },
  })
})

test('an object that gets its name from the server is reviewed', async () => {
  const { body } = await driver.client.post(
    validatePath,
    review({}, snapshot({ source }, { generateName: 'nightly-' })),
  )
  expect(body.response).toEqual({ uid: 'u-1', allowed: true })
})

describe('the one thing that is changed', () => {
  const patchOf = async (object: object, request: object = {}) => {
    const { code, body } = await driver.client.post(mutatePath, review(request, object))
    expect([code, body.response.allowed]).toEqual([200, true])
    const { patch, patchType } = body.response
    if (patch === undefined) return undefined
    expect(patchType).toBe('JSONPatch')
    return JSON.parse(Buffer.from(patch, 'base64').toString())
  }
  test('a deadline without unit gets its unit', async () =>
    expect(await patchOf(snapshot({ source, failureDeadline: '10' }))).toEqual([
      { op: 'replace', path: '/spec/failureDeadline', value: '10s' },
    ]))
  test('in an update as well', async () =>
    expect(
      await patchOf(snapshot({ source, failureDeadline: '090' }), {
        operation: 'UPDATE',
        oldObject: snapshot({ source }),
      }),
    ).toEqual([{ op: 'replace', path: '/spec/failureDeadline', value: '90s' }]))
  test.each([
    [{ source, failureDeadline: '10s' }],
    [{ source, failureDeadline: '0' }],
    [{ source, failureDeadline: 'soon' }],
    [{ source, failureDeadline: 10 }],
    [{ source }],
    [null],
    ['text'],
  ])('%j stays as it is: whether it is right is asked later', async (spec) =>
    expect(await patchOf(snapshot(spec))).toBeUndefined(),
  )
})

test('TLS only, and only under the names of the certificate', async () => {
  const { cert, ca, key } = await makeCertificate(['a.b.svc', '10.1.2.3'], new Date())
  const certificate = new X509Certificate(cert)
  expect(certificate.verify(new X509Certificate(ca ?? '').publicKey)).toBe(true)
  expect(certificate.checkHost('a.b.svc')).toBe('a.b.svc')
  expect(certificate.checkIP('10.1.2.3')).toBe('10.1.2.3')
  expect(certificate.checkHost('c.b.svc')).toBeUndefined()
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
})

test('a client that speaks no TLS, or goes away in the middle, harms nobody', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const half = request(
    {
      host: '127.0.0.1',
      port: new URL(driver.url).port,
      path: validatePath,
      method: 'POST',
      rejectUnauthorized: false,
    },
    () => {},
  )
  half.on('error', () => resolve())
  half.setHeader('content-length', 1_000)
  half.write('{', () => half.destroy())
  await promise
  expect((await driver.client.post(validatePath, review())).body.response.allowed).toBe(true)
})

describe('registration', () => {
  test.each([
    ['https://10.0.0.5:9443', undefined, { url: 'https://10.0.0.5:9443' }, ['10.0.0.5']],
    ['https://[::1]:9443/hooks/', undefined, { url: 'https://[::1]:9443/hooks' }, ['::1']],
    [
      undefined,
      'kubevirt/hook',
      { service: { namespace: 'kubevirt', name: 'hook' } },
      ['hook.kubevirt.svc', 'hook.kubevirt.svc.cluster.local'],
    ],
    [undefined, undefined, undefined, []],
  ])('--webhook-url %s --webhook-service %s', (url, service, target, names) => {
    expect(parseTarget(url, service)).toEqual(target)
    expect(namesOf(parseTarget(url, service))).toEqual(names)
  })

  test.each([
    ['http://10.0.0.5', undefined, /--webhook-url 'http:.*https/],
    ['here', undefined, /--webhook-url 'here' is not an https address/],
    ['https://a@b', undefined, /--webhook-url/],
    [undefined, 'hook', /--webhook-service 'hook' is not NAMESPACE\/NAME/],
    [undefined, 'a/b/c', /--webhook-service/],
    ['https://a', 'b/c', /exclude each other/],
  ])('--webhook-url %s --webhook-service %s is refused with the remedy', (url, service, text) =>
    expect(() => parseTarget(url, service)).toThrow(text),
  )

  test('the configurations are written, and brought up to date by the next start', async () => {
    const bench = await startBench({
      resources: [...kinds, ValidatingWebhookConfiguration, MutatingWebhookConfiguration],
    })
    try {
      const webhooks = webhooksOf(snapshotAdmission)
      const ref = { name: configurationName }
      await register(bench.client, webhooks, { target: { url: 'https://10.0.0.5:9443' }, ca: 'OLD' })
      const service = { service: { namespace: 'kubevirt', name: 'hook' } }
      await register(bench.client, webhooks, { target: service, ca: 'NEW' })
      const validating = await bench.client.get(ValidatingWebhookConfiguration, ref)
      const caBundle = Buffer.from('NEW').toString('base64')
      const common = {
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        sideEffects: 'None',
        timeoutSeconds: 10,
        admissionReviewVersions: ['v1'],
      }
      const client = (path: string) => ({
        clientConfig: { service: { ...service.service, path, port: 443 }, caBundle },
      })
      const rules = (apiGroup: string, version: string, resources: string[], ...operations: string[]) => ({
        rules: [{ apiGroups: [apiGroup], apiVersions: [version], resources, operations, scope: 'Namespaced' }],
      })
      const ours = 'snapshot.kubevirt.io'
      expect(validating.webhooks).toEqual([
        {
          name: 'virtualmachinesnapshot-validator.snapshot.kubevirt.io',
          ...client('/validate/virtualmachinesnapshots'),
          ...rules(ours, 'v1beta1', ['virtualmachinesnapshots'], 'CREATE', 'UPDATE'),
          ...common,
        },
        {
          name: 'virtualmachinerestore-validator.snapshot.kubevirt.io',
          ...client('/validate/virtualmachinerestores'),
          ...rules(ours, 'v1beta1', ['virtualmachinerestores'], 'CREATE', 'UPDATE'),
          ...common,
        },
        {
          name: 'virtualmachinesnapshotcontent-validator.snapshot.kubevirt.io',
          ...client('/validate/virtualmachinesnapshotcontents'),
          ...rules(ours, 'v1beta1', ['virtualmachinesnapshotcontents'], 'UPDATE'),
          ...common,
        },
        {
          name: 'virtualmachine-validator.kubevirt.io',
          ...client('/validate/virtualmachines'),
          ...rules('kubevirt.io', 'v1', ['virtualmachines', 'virtualmachines/status'], 'UPDATE'),
          ...common,
        },
      ])
      expect((await bench.client.get(MutatingWebhookConfiguration, ref)).webhooks).toEqual([
        {
          name: 'virtualmachinesnapshot-mutator.snapshot.kubevirt.io',
          ...client('/mutate/virtualmachinesnapshots'),
          ...rules(ours, 'v1beta1', ['virtualmachinesnapshots'], 'CREATE', 'UPDATE'),
          ...common,
          reinvocationPolicy: 'Never',
        },
      ])
    } finally {
      await bench.close()
    }
  })

  test('a URL gets the path of each webhook; without an authority of our own there is no bundle', () => {
    const [first] = configured(webhooksOf(snapshotAdmission), { url: 'https://h/base' }, undefined)
    expect(first).toMatchObject({ clientConfig: { url: 'https://h/base/validate/virtualmachinesnapshots' } })
    expect(first).not.toHaveProperty('clientConfig.caBundle')
  })
})

describe('whatever comes in', () => {
  const nothing = { get: () => undefined, list: () => [] }
  /** Answers as the server does; only a refusal of the review itself may be thrown. */
  const ask = (text: string): void => {
    for (const { does, rule } of webhooksOf(snapshotAdmission)) {
      try {
        const parsed = parseReview(text)
        const answer = does === 'mutate' ? mutate(parsed, rule) : validate(parsed, rule, nothing)
        expect(answer.uid).toBe(parsed.uid)
        expect(answer.allowed).toBe(answer.status === undefined)
      } catch (error) {
        if (!(error instanceof ReviewError)) throw error
        expect(error.message).not.toBe('')
        expect(error.code).toBe(400)
      }
    }
  }

  test('any text is answered or refused', () => fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), ask)))

  // Mostly what a real API server sends, so that the rules are reached; at any place something else at times.
  const mostly = <T>(value: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: fc.option(fc.jsonValue(), { nil: undefined }) })
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
  const reference = mostly(fc.record({ apiGroup: mostly(fc.constant('kubevirt.io')), kind: mostly(fc.string()) }))
  const spec = mostly(
    fc.record(
      {
        source: reference,
        target: reference,
        virtualMachineSnapshotName: mostly(fc.string()),
        failureDeadline: mostly(fc.constantFrom('10', '1m', 'x', '9'.repeat(30))),
        patches: mostly(fc.array(mostly(fc.oneof(fc.json(), fc.string())))),
        volumeRestoreOverrides: mostly(fc.array(mostly(fc.dictionary(fc.string(), fc.jsonValue())))),
        template: mostly(fc.record({ spec: mostly(fc.record({ volumes: mostly(fc.array(fc.jsonValue())) })) })),
        running: mostly(fc.boolean()),
        runStrategy: mostly(fc.string()),
      },
      { requiredKeys: [] },
    ),
  )
  const status = mostly(
    fc.record(
      { snapshotInProgress: mostly(fc.string()), restoreInProgress: mostly(fc.string()) },
      { requiredKeys: [] },
    ),
  )
  const object = mostly(
    fc.record({
      apiVersion: mostly(fc.constant('v1')),
      kind: mostly(fc.constant('X')),
      metadata: mostly(fc.constant({ name: 'a' })),
      spec,
      status,
    }),
  )
  const request = fc.record({
    uid: mostly(fc.constant('u')),
    resource: mostly(
      fc.constantFrom(...snapshotAdmission.map(({ group, resource }) => ({ group, version: 'v1', resource }))),
    ),
    subResource: maybe(fc.constantFrom('', 'status', 'scale')),
    operation: mostly(fc.constantFrom('CREATE', 'UPDATE', 'UPDATE', 'DELETE', 'CONNECT')),
    namespace: maybe(fc.string()),
    object,
    oldObject: object,
  })
  test('any review is answered or refused', () =>
    fc.assert(
      fc.property(request, (given) =>
        ask(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: given })),
      ),
      { numRuns: 1_000 },
    ))
})
