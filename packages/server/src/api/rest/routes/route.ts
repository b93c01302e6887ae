import type { z } from 'zod'
import type { StoredObject } from '../../../domain/object.ts'
import type { Access, Caller } from '../../../domain/permissions.ts'
import { authorize } from '../../../access/authorize.ts'
import type { Moment } from '../../../kit/clock.ts'
import type { Deps } from '../../deps.ts'
import type { Attention, Operation } from '../../operation.ts'

/** What the door hands on of a request. */
export interface Request {
  readonly query: Readonly<Record<string, string>>
  /** Every value of each query parameter, in the order they came. */
  readonly queries: Readonly<Record<string, readonly string[]>>
  readonly params: Readonly<Record<string, string>>
  /** As it was sent: HEAD goes where GET does. */
  readonly method: string
  /** As it was sent, percent signs and all. */
  readonly path: string
  /** The start of our addresses, as the caller named us. */
  readonly baseUrl: string
  /** The start of addresses that are handed on to others. */
  readonly publicUrl: string
  readonly header: (name: string) => string | undefined
  /** What a small body holds, which is read and checked now: 64 KiB at most unless said otherwise. An empty one is `undefined`. */
  readonly json: <Schema extends z.ZodType>(schema: Schema, mostBytes?: number) => Promise<z.output<Schema>>
  /** The body as it comes, for those that may be large. It is read once, by whoever takes it. */
  readonly body: ReadableStream<Uint8Array> | null
}

/** One address: the permission of the operation behind it, and how it is called. */
export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly permission: Access
  /** Whether the operation behind it leaves an entry in the account's record of changes. */
  readonly audited: boolean
  /** Whether scripts of other origins may ask for it: keys travel in a header and never in a cookie. */
  readonly forBrowsers?: boolean
  /** A text is a page, a `Response` is sent as it is, everything else is JSON. */
  readonly call: (
    deps: Deps,
    caller: Caller | undefined,
    request: Request,
    attention: Attention,
  ) => Promise<object | string>
  /** What the OpenAPI document says of it. Every address under `/v1` has one. */
  readonly description?: Description
}

/** What an address takes and answers, as the schemas that it is read and shown by. */
export interface Description {
  /** One line. */
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  /** Of its answer, or of each event of a stream. Absent where the answer has no body, or is no JSON. */
  readonly answer?: z.ZodType
  readonly status: 200 | 201 | 204
  readonly media: 'application/json' | 'text/event-stream' | 'text/plain' | 'application/octet-stream'
  /** Whether the body is a form, with a file in its field `file_upload`. */
  readonly form?: true
}

/** An address of an operation: how its input is read off a request, and how its output is shown. */
export function route<Input, Output>(
  method: Route['method'],
  path: string,
  operation: Operation<Input, Output>,
  {
    read,
    show,
  }: {
    readonly read: (request: Request) => Input | Promise<Input>
    readonly show: (output: Output, request: Request) => object | string
  },
): Route {
  const call: Route['call'] = async (deps, caller, request, attention) => {
    authorize(caller, operation.permission) // before anything that they sent is read
    return show(await operation(deps, caller, await read(request), attention), request)
  }
  return { method, path, permission: operation.permission, audited: operation.audited, call }
}

/** The app that an address names. */
export function named(params: Request['params']): { owner: string; name: string } {
  return { owner: params['owner'] ?? '', name: params['name'] ?? '' }
}

/** Where its reader finds an uploaded file. */
export const fileUrl = ({ publicUrl }: Pick<Request, 'publicUrl'>, { id, name }: Pick<StoredObject, 'id' | 'name'>) =>
  `${publicUrl}/storage/files/${id}/${encodeURIComponent(name)}`

/** An empty query parameter says nothing. */
export const said = (text: string | undefined): string | undefined => (text === '' ? undefined : text)
export const iso = (moment: Moment): string => new Date(moment).toISOString()
export const isoOrNull = (moment: Moment | undefined): string | null => (moment === undefined ? null : iso(moment))
