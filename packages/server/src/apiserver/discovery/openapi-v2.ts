import { tagOf } from './openapi-v3.ts'
import { type Operation, type Parameter, pathsOf } from './operations.ts'
import { componentsOf, type OpenApiSchema, refTo } from './schemas.ts'
import type { ServedGroup } from './served.ts'
import type { GroupVersionKind } from './verbs.ts'

/** The parts of Swagger 2.0 this server uses. */
export interface Swagger {
  swagger: '2.0'
  info: { title: string; version: string }
  paths: Record<string, SwaggerPath>
  definitions: Record<string, OpenApiSchema>
  securityDefinitions: Record<string, { type: string; name: string; in: string; description: string }>
  security: Record<string, string[]>[]
}

export interface SwaggerPath {
  operations: Record<string, SwaggerOperation>
  parameters: SwaggerParameter[]
}

export interface SwaggerOperation {
  tags: string[]
  description: string
  operationId: string
  consumes: string[]
  produces: string[]
  parameters: SwaggerParameter[]
  responses: Record<string, { description: string; schema?: OpenApiSchema }>
  'x-kubernetes-action': string
  'x-kubernetes-group-version-kind': GroupVersionKind
}

export type SwaggerParameter =
  | { in: 'body'; name: 'body'; required: boolean; schema: OpenApiSchema }
  | { in: 'query' | 'path'; name: string; required: boolean; type: string; uniqueItems: true; description: string }

/** One Swagger 2.0 document for everything served. */
export function openApiV2(groups: readonly ServedGroup[]): Swagger {
  const served = groups.flatMap(({ versions }) => versions)
  return {
    swagger: '2.0',
    info: { title: 'Stillpoint', version: 'v1' },
    paths: Object.fromEntries(
      served.flatMap(pathsOf).map(({ path, parameters, operations }) => [
        path,
        {
          operations: Object.fromEntries(operations.map((operation) => [operation.method, operationV2(operation)])),
          parameters: parameters.map(parameterV2),
        },
      ]),
    ),
    definitions: componentsOf(served, 'v2'),
    securityDefinitions: {
      BearerToken: { type: 'apiKey', name: 'authorization', in: 'header', description: 'Bearer token' },
    },
    security: [{ BearerToken: [] }],
  }
}

/** The document as Swagger's JSON has it: operations directly in their path. */
export function swaggerJson({ paths, ...rest }: Swagger): string {
  return JSON.stringify({
    ...rest,
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, { operations, parameters }]) => [
        path,
        { ...operations, ...(parameters.length > 0 ? { parameters } : {}) },
      ]),
    ),
  })
}

function operationV2({
  action,
  operationId,
  description,
  kind,
  parameters,
  body,
  answer,
  codes,
}: Operation): SwaggerOperation {
  const response = { description: 'OK', schema: refTo(answer, 'v2') }
  return {
    tags: [tagOf(kind)],
    description,
    operationId,
    consumes: body?.types ?? ['*/*'],
    produces: ['application/json', 'application/yaml'],
    parameters: [
      ...(body
        ? [{ in: 'body', name: 'body', required: body.required, schema: refTo(body.component, 'v2') } as const]
        : []),
      ...parameters.map(parameterV2),
    ],
    responses: {
      ...Object.fromEntries(codes.map((code) => [code, response])),
      '401': { description: 'Unauthorized' },
    },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kind,
  }
}

function parameterV2({ name, in: place, type, description }: Parameter): SwaggerParameter {
  return { in: place, name, required: place === 'path', type, uniqueItems: true, description }
}
