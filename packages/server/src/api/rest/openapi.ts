import { PlatformRefusal } from '@carrick/protocol/platform'
import { Refusal } from '@carrick/protocol/rest'
import { z } from 'zod'
import { isPlatformPath } from './platform-errors.ts'
import type { Description, Route } from './routes/route.ts'
import { version } from '../../version.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * The OpenAPI 3.1 document of every address under `/v1`, made of the table that serves them and of the schemas that
 * check them. An address that declares nothing stands in it with its name and its permission.
 */
export function openApi(routes: readonly Route[], baseUrl: string): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes.filter(({ path }) => path.startsWith('/v1/'))) {
    const path = pathOf(route.path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Carrick platform API', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: baseUrl }],
    security: [{ key: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`Key <id>:<secret>`' },
      },
    },
  }
}

/** An address as OpenAPI writes it: `/v1/apps/{owner}`; a `*` at the end is `{path}`. */
export function pathOf(path: string): string {
  return path.replaceAll(/:(\w+)(\{[^}]*\})?\??/g, '{$1}').replace(/\*$/, '{path}')
}

function operationOf({ method, path, permission, description }: Route): Json {
  const refusal = isPlatformPath(path) ? PlatformRefusal : Refusal
  return {
    operationId: `${method.toLowerCase()} ${path}`.replaceAll(/[^a-zA-Z0-9]+/g, '_').replace(/_$/, ''),
    summary: description?.summary ?? `${method} ${path}`,
    ...(permission === 'anyone' ? { security: [] } : { 'x-carrick-permission': permission }),
    parameters: [...inPath(path), ...inQuery(description)],
    ...bodyOf(description),
    responses: {
      ...answerOf(description),
      default: { description: 'A refusal', content: { 'application/json': { schema: schemaOf(refusal, 'output') } } },
    },
  }
}

function inPath(path: string): readonly Json[] {
  const names = [...pathOf(path).matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }))
}

function inQuery(description: Description | undefined): readonly Json[] {
  if (description?.query === undefined) return []
  const { properties, required } = Properties.parse(schemaOf(description.query, 'input'))
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
    ...(schema['type'] === 'array' && { style: 'form', explode: false }),
  }))
}

const Properties = z.object({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
})

const oneFile = { type: 'object', properties: { file_upload: { type: 'string', contentEncoding: 'binary' } } }

function bodyOf(description: Description | undefined): Json {
  if (description?.form)
    return { requestBody: { required: true, content: { 'multipart/form-data': { schema: oneFile } } } }
  if (description?.body === undefined) return {}
  const schema = schemaOf(description.body, 'input')
  const required = !description.body.safeParse(undefined).success
  return { requestBody: { required, content: { 'application/json': { schema } } } }
}

function answerOf(description: Description | undefined): Json {
  const { status = 200, media = 'application/json', answer } = description ?? {}
  if (status === 204) return { 204: { description: 'Done' } }
  const unstructured = media === 'application/json' || media === 'text/event-stream' ? {} : { type: 'string' }
  const schema = answer === undefined ? unstructured : schemaOf(answer, 'output')
  return { [status]: { description: 'The answer', content: { [media]: { schema } } } }
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...found } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' })
  return found
}
