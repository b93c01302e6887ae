import { CarrickError } from '../domain/errors.ts'

/** Of a node's input, of its answer, and of what a caller sends: they are held in memory while a workflow runs. */
export const mostJsonBytes = 16 * 1024 * 1024

/** Reads JSON; what is no JSON is a text. Throws `body_too_large` with whose it is. */
export async function readJson(source: AsyncIterable<Uint8Array>, whose: string): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of source) {
    length += chunk.byteLength
    if (length > mostJsonBytes)
      throw new CarrickError(
        'body_too_large',
        `${whose} is larger than the ${mostJsonBytes} bytes that a workflow takes`,
      )
    chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString()
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
