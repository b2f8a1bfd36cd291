import { type Operation, type Parameter, pathsOf } from './operations.ts'
import { componentsOf, refTo } from './schemas.ts'
import type { ServedVersion } from './served.ts'

/** The OpenAPI 3.0 document of one group version. */
export function openApiV3(served: ServedVersion): object {
  return {
    openapi: '3.0.0',
    info: { title: 'Stillpoint', version: served.version },
    paths: Object.fromEntries(
      pathsOf(served).map(({ path, parameters, operations }) => [
        path,
        {
          ...Object.fromEntries(operations.map((operation) => [operation.method, operationV3(operation)])),
          ...(parameters.length > 0 ? { parameters: parameters.map(parameterV3) } : {}),
        },
      ]),
    ),
    components: {
      schemas: componentsOf([served], 'v3'),
      securitySchemes: {
        BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' },
      },
    },
  }
}

function operationV3({ action, operationId, description, kind, parameters, body, answer, codes }: Operation): object {
  const content = (types: readonly string[], component: string) =>
    Object.fromEntries(types.map((type) => [type, { schema: refTo(component, 'v3') }]))
  const response = { description: 'OK', content: content(['application/json', 'application/yaml'], answer) }
  return {
    tags: [tagOf(kind)],
    description,
    operationId,
    parameters: parameters.map(parameterV3),
    ...(body ? { requestBody: { content: content(body.types, body.component), required: body.required } } : {}),
    responses: {
      ...Object.fromEntries(codes.map((code) => [code, response])),
      '401': { description: 'Unauthorized' },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

function parameterV3({ name, in: place, type, description }: Parameter): object {
  return {
    name,
    in: place,
    description,
    ...(place === 'path' ? { required: true } : {}),
    schema: { type, uniqueItems: true },
  }
}

export function tagOf({ group, version }: { group: string; version: string }): string {
  return `${(group || 'core').replaceAll('.', '_')}_${version}`
}
