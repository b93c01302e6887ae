import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { CarrickError } from '../../domain/errors.ts'

/** The field in which the stock client sends a file. */
const field = 'file_upload'

/**
 * Gives the file in a form (`multipart/form-data`) to `use` as it comes. Nothing of it stands in memory but what is on
 * its way. Throws `bad_request` for a body that is no such form, or breaks off.
 */
export async function formFile<Result>(
  { body, contentType }: { body: ReadableStream<Uint8Array> | null; contentType?: string | undefined },
  use: (content: Readable) => Promise<Result>,
): Promise<Result> {
  if (body === null || !contentType?.startsWith('multipart/form-data'))
    throw new CarrickError('bad_request', `The file must come as multipart/form-data, in the field ${field}`)
  const form = await parser(contentType)
  const source = Readable.fromWeb(body)
  const used = Promise.withResolvers<Result>()
  const whole = Promise.withResolvers<void>()
  let file: Readable | undefined
  // Whoever has the file is told through it, and says why it ends: perhaps that came first.
  const failed = (cause: unknown) => {
    const error = broken(cause)
    whole.reject(error)
    if (file === undefined) used.reject(error)
    else file.destroy(error)
  }
  whole.promise.catch(() => {}) // told below
  form.on('file', (name, content) => {
    content.on('error', failed)
    if (name === field && file === undefined) {
      file = content
      use(content).then(used.resolve, used.reject)
    } else content.resume()
  })
  form.on('error', failed)
  source.on('error', failed)
  form.on('finish', () => (file === undefined ? failed(new Error(`it has no field ${field}`)) : whole.resolve()))
  source.pipe(form)
  try {
    const result = await used.promise
    await whole.promise
    return result
  } finally {
    source.unpipe(form)
    source.destroy()
  }
}

/** Its parser is loaded with the first form. */
async function parser(contentType: string) {
  const { Busboy } = await import('@fastify/busboy')
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: { files: 1, fields: 10, parts: 11, headerPairs: 20 },
    })
  } catch (cause) {
    throw broken(cause)
  }
}

function broken(cause: unknown): CarrickError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new CarrickError('bad_request', `The form that the file should come in cannot be read: ${why}`, { cause })
}
