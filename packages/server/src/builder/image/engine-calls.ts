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
