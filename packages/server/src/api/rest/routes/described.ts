import { z } from 'zod'
import { authorize } from '../../../access/authorize.ts'
import type { Caller } from '../../../domain/permissions.ts'
import { EventStream } from '../event-stream.ts'
import { checked, type Operation } from '../../operation.ts'
import type { Description, Request, Route } from './route.ts'

/** What was sent, by the schemas that the address declares. */
interface Sent<Query extends z.ZodObject, Body extends z.ZodType> {
  readonly params: Request['params']
  readonly query: z.output<Query>
  readonly body: z.output<Body>
  readonly caller: Caller | undefined
}

interface Declared<Input, Output, Query extends z.ZodObject, Body extends z.ZodType, Answer extends z.ZodType> {
  readonly summary: string
  readonly query?: Query
  readonly body?: Body
  readonly answer?: Answer
  readonly status?: Description['status']
  readonly media?: Description['media']
  readonly read: (sent: Sent<Query, Body>) => Input
  readonly show?: (output: Output, sent: Sent<Query, Body>) => z.input<Answer> | EventStream | Response
}

/**
 * An address of the platform's own API. What it declares is what its requests are checked with, what its answers are
 * typed by, and what the OpenAPI document says of it. Without `show` it answers with no body.
 */
export function described<
  Input,
  Output,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodUndefined,
  Answer extends z.ZodType = z.ZodType,
>(
  method: Route['method'],
  path: string,
  operation: Operation<Input, Output>,
  declared: Declared<Input, Output, Query, Body, Answer>,
): Route {
  const { summary, query, body, answer, media = 'application/json', read, show } = declared
  const status = declared.status ?? (show === undefined ? 204 : 200)
  const call: Route['call'] = async (deps, caller, request, attention) => {
    authorize(caller, operation.permission) // before anything that they sent is read
    const sent: Sent<Query, Body> = {
      params: request.params,
      query: queryOf(query, request.queries),
      body: (body === undefined ? undefined : await request.json(body)) as z.output<Body>,
      caller,
    }
    const output = await operation(deps, caller, read(sent), attention)
    if (show === undefined) return new Response(null, { status })
    const shown: unknown = show(output, sent)
    if (shown instanceof Response || shown instanceof EventStream) return shown
    return Response.json(shown, { status })
  }
  const description: Description = {
    summary,
    status,
    media,
    ...(query && { query }),
    ...(body && { body }),
    ...(answer && { answer }),
  }
  return { method, path, permission: operation.permission, audited: operation.audited, call, description }
}

/** Query parameters by their schema: lists may be repeated or separated by commas, and what is empty says nothing. */
function queryOf<Query extends z.ZodObject>(query: Query | undefined, queries: Request['queries']): z.output<Query> {
  if (query === undefined) return {} as z.output<Query>
  const given = Object.entries(query.shape).map(([name, field]) => {
    const values = (queries[name] ?? []).filter((value) => value !== '')
    if (values.length === 0) return [name, undefined] as const
    return [name, isList(field) ? values.flatMap((value) => value.split(',')) : values[0]] as const
  })
  return checked(query, Object.fromEntries(given))
}

function isList(field: z.core.$ZodType): boolean {
  if (field instanceof z.ZodOptional || field instanceof z.ZodDefault) return isList(field.unwrap())
  return field instanceof z.ZodArray
}
