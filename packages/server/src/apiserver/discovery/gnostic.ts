import type { Swagger, SwaggerOperation, SwaggerParameter, SwaggerPath } from './openapi-v2.ts'
import { ProtoWriter } from './proto-writer.ts'
import type { OpenApiSchema } from './schemas.ts'

// Numbers are those of gnostic's openapi.v2 messages, whose names stand in the function names.

const message = () => new ProtoWriter()

/** A Swagger document as the protobuf message `openapi.v2.Document`, which kubectl up to 1.26 reads. */
export function gnosticDocument({
  swagger,
  info,
  paths,
  definitions,
  securityDefinitions,
  security,
}: Swagger): Uint8Array {
  return message()
    .text(1, swagger)
    .message(2, message().text(1, info.title).text(2, info.version))
    .message(
      8,
      message().messages(
        2,
        sorted(paths).map(([path, item]) => named(path, pathItem(item))),
      ),
    )
    .message(
      9,
      message().messages(
        1,
        sorted(definitions).map(([name, value]) => named(name, schema(value))),
      ),
    )
    .messages(
      12,
      security.map((requirement) =>
        message().messages(
          1,
          sorted(requirement).map(([name, scopes]) => named(name, message().texts(1, scopes))),
        ),
      ),
    )
    .message(
      13,
      message().messages(
        1,
        sorted(securityDefinitions).map(([name, { type, name: header, in: place, description }]) =>
          named(
            name,
            message().message(2, message().text(1, type).text(2, header).text(3, place).text(4, description)),
          ),
        ),
      ),
    )
    .finish()
}

const methodFields: Record<string, number> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 }

function pathItem({ operations, parameters }: SwaggerPath): ProtoWriter {
  const item = message()
  for (const [method, field] of Object.entries(methodFields)) {
    const value = operations[method]
    if (value !== undefined) item.message(field, operation(value))
  }
  return item.messages(9, parameters.map(parametersItem))
}

function operation(value: SwaggerOperation): ProtoWriter {
  return message()
    .texts(1, value.tags)
    .text(3, value.description)
    .text(5, value.operationId)
    .texts(6, value.produces)
    .texts(7, value.consumes)
    .messages(8, value.parameters.map(parametersItem))
    .message(9, responses(value.responses))
    .messages(13, extensions(value))
}

function responses(values: SwaggerOperation['responses']): ProtoWriter {
  return message().messages(
    1,
    Object.entries(values).map(([code, { description, schema: body }]) => {
      const response = message().text(1, description)
      if (body !== undefined) response.message(2, message().message(1, schema(body)))
      return named(code, message().message(1, response))
    }),
  )
}

function parametersItem(parameter: SwaggerParameter): ProtoWriter {
  const choice =
    parameter.in === 'body'
      ? message().message(1, bodyParameter(parameter))
      : message().message(2, message().message(parameter.in === 'query' ? 3 : 4, nonBodyParameter(parameter)))
  return message().message(1, choice)
}

function bodyParameter({ name, required, schema: body }: Extract<SwaggerParameter, { in: 'body' }>): ProtoWriter {
  return message().text(2, name).text(3, 'body').flag(4, required).message(5, schema(body))
}

function nonBodyParameter(value: Exclude<SwaggerParameter, { in: 'body' }>): ProtoWriter {
  const parameter = message().flag(1, value.required).text(2, value.in).text(3, value.description).text(4, value.name)
  // Query parameters have one member more before the type than path parameters.
  return value.in === 'query'
    ? parameter.text(6, value.type).flag(20, value.uniqueItems)
    : parameter.text(5, value.type).flag(19, value.uniqueItems)
}

function schema(value: OpenApiSchema): ProtoWriter {
  if (value.$ref !== undefined) return message().text(1, value.$ref).text(4, value.description)
  const { type, items, properties, additionalProperties } = value
  return message()
    .text(2, value.format)
    .text(4, value.description)
    .double(7, value.maximum)
    .double(9, value.minimum)
    .integer(11, value.maxLength)
    .integer(12, value.minLength)
    .text(13, value.pattern)
    .integer(14, value.maxItems)
    .integer(15, value.minItems)
    .texts(19, value.required)
    .messages(20, (value.enum ?? []).map(any))
    .message(21, additionalProperties === undefined ? undefined : additional(additionalProperties))
    .message(22, type === undefined ? undefined : message().texts(1, [type]))
    .message(23, items === undefined ? undefined : message().message(1, schema(items)))
    .message(
      25,
      properties === undefined
        ? undefined
        : message().messages(
            1,
            sorted(properties).map(([name, property]) => named(name, schema(property))),
          ),
    )
    .messages(31, extensions(value))
}

function additional(value: OpenApiSchema | boolean): ProtoWriter {
  return typeof value === 'boolean' ? message().flag(2, value) : message().message(1, schema(value))
}

function extensions(value: object): ProtoWriter[] {
  return sorted(value as Record<string, unknown>)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, extension]) => named(name, any(extension)))
}

/** Any value travels as YAML text, and JSON is YAML. */
function any(value: unknown): ProtoWriter {
  return message().text(2, JSON.stringify(value))
}

function named(name: string, value: ProtoWriter): ProtoWriter {
  return message().text(1, name).message(2, value)
}

function sorted<T>(values: Record<string, T>): [string, T][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
}
