import { Duplex, Readable } from 'node:stream'
import type Docker from 'dockerode'

type DialOptions = Parameters<Docker['modem']['dial']>[0]

/** A connection that the engine hands over: from then on it speaks what was agreed, not HTTP/1.1. */
export async function connectionOf(engine: Docker, options: DialOptions): Promise<Duplex> {
  const answer = await dial(engine, { ...options, statusCodes: { 101: true, 200: true } })
  if (answer instanceof Duplex) return answer
  throw new Error('the engine did not hand over the connection: it has no BuildKit')
}

/** The body of an answer that comes bit by bit. */
export async function streamOf(engine: Docker, options: DialOptions): Promise<Readable> {
  const answer = await dial(engine, { ...options, isStream: true, statusCodes: { 200: true } })
  if (answer instanceof Readable) return answer
  throw new Error('the engine answered without a body')
}

export function dial(engine: Docker, options: DialOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    engine.modem.dial(options, (error, result) => (error ? reject(error) : resolve(result)))
  })
}

/** What the engine says was wrong, without the words that the library puts around it. */
export function engineWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { json } = error as { json?: unknown }
  if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string') {
    return json.message
  }
  return error.message
}

export function statusOf(error: unknown): number | undefined {
  const status: unknown = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' ? status : undefined
}
