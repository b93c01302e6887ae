import { PassThrough, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { BodyEnd, Exchange } from '../calls/call.ts'
import { CarrickError } from '../domain/errors.ts'
import { httpStatus } from '../domain/outcome.ts'
import { NodeFailure } from './node.ts'
import { Cancelled } from './run.ts'

/** How workflows answer the dispatcher and the gateway: as a runner would. */

export function jsonAnswer(status: number, body: unknown): Exchange {
  const bytes = Buffer.from(JSON.stringify(body) ?? 'null')
  const headers = [
    ['content-type', 'application/json; charset=utf-8'],
    ['content-length', String(bytes.length)],
    // Nothing that a workflow answers says something about a runner, and what failed would fail again.
    ['x-fal-stop-runner', '0'],
    ['x-fal-needs-retry', '0'],
  ] as const
  const stream = Readable.from([bytes], { objectMode: false })
  return { kind: 'answered', status, headers, body: stream, ended: endOf(stream) }
}

/** An answer that goes on: what is told to `tell` becomes an event, and `end` is its end. */
export function eventAnswer(): { answer: Exchange; tell: (event: object) => void; end: () => void } {
  const stream = new PassThrough()
  const headers = [
    ['content-type', 'text/event-stream; charset=utf-8'],
    ['cache-control', 'no-cache, no-transform'],
    ['x-accel-buffering', 'no'],
  ] as const
  return {
    answer: { kind: 'answered', status: 200, headers, body: stream, ended: endOf(stream) },
    tell: (event) => void (stream.destroyed || stream.write(`data: ${JSON.stringify(event)}\n\n`)),
    end: () => void stream.end(),
  }
}

/** What is answered for a run that failed. */
export function failureOf(error: unknown): { status: number; body: Readonly<Record<string, unknown>> } | undefined {
  if (error instanceof Cancelled)
    return { status: 499, body: { detail: 'The request was cancelled', error_type: 'client_cancelled' } }
  if (error instanceof CarrickError)
    return { status: httpStatus[error.kind], body: { detail: error.message, error_type: error.code } }
  if (!(error instanceof NodeFailure)) return undefined
  const { message, nodeId, requestId, status, body } = error
  const said = { detail: message, node_id: nodeId, request_id: requestId, error: { status, body } }
  return { status: status < 500 ? status : 500, body: said }
}

async function endOf(stream: Readable): Promise<BodyEnd> {
  try {
    await finished(stream, { writable: false })
    return { kind: 'complete' }
  } catch {
    return { kind: 'aborted' }
  }
}
