import { Readable } from 'node:stream'
import { CarrickError } from '../../domain/errors.ts'
import type { Request } from './routes/route.ts'

type Body = Request['body']

/** Reads no more than it takes to know that there is too much. */
export async function smallText(body: Body, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > mostBytes) {
      throw new CarrickError('body_too_large', `The body is larger than the ${mostBytes} bytes that are taken here`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** A large body as it comes, and how long its sender says that it is. */
export interface Incoming {
  readonly stream: Readable
  readonly declared: number
}

export function incoming({ body, header }: Pick<Request, 'body' | 'header'>): Incoming {
  const stream = body === null ? Readable.from([]) : Readable.fromWeb(body)
  // Nobody may be reading when the client goes away: a refusal is on its way, or not even begun.
  stream.on('error', () => {})
  return { stream, declared: Number(header('content-length') ?? 0) }
}
