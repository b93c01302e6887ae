import type { RequestId } from '../domain/ids.ts'

/** What can be done with an accepted request, by the end of its path. */
const operations = {
  '': 'result',
  '/response': 'result',
  '/status': 'status',
  '/status/stream': 'status_stream',
  '/cancel': 'cancel',
} as const

export type Operation = (typeof operations)[keyof typeof operations]

export interface RequestPath {
  readonly requestId: RequestId
  readonly operation: Operation
  /** Without the `?`. */
  readonly query: string
}

/** Everything before the last `requests` is advice: clients put more or less of the endpoint there. */
const form = /^[^?]*\/requests\/([^/?]+)(\/status\/stream|\/status|\/cancel|\/response|)\/?(?:\?(.*))?$/s

/** The request that a path below an app names; undefined when it has another form. */
export function requestIn(path: string): RequestPath | undefined {
  const [, requestId, end = '', query = ''] = form.exec(path) ?? []
  return requestId !== undefined && isEnd(end) ? { requestId, operation: operations[end], query } : undefined
}

/** The methods that an operation takes, the usual one first. */
export const methodsOf: Readonly<Record<Operation, readonly [string, ...string[]]>> = {
  result: ['GET', 'HEAD'],
  status: ['GET', 'HEAD'],
  status_stream: ['GET', 'HEAD'],
  cancel: ['PUT', 'POST'],
}

const isEnd = (end: string): end is keyof typeof operations => Object.hasOwn(operations, end)
