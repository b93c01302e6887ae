import { rootsInForce } from '@carrick/server/bundle'
import { createHash } from 'node:crypto'
import { request, type RequestOptions } from 'node:https'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import type { Connection } from '../connection.ts'

/** Something in the registry. */
export interface Stored {
  readonly digest: string
  readonly size: number
}

interface Answer {
  readonly status: number
  readonly said: string
  readonly location: string | undefined
}

const Refused = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string() })).min(1) })
type Asked = readonly [method: string, path: string, body?: Readable, type?: string]

const silenceMs = 60_000

/** One repository of a server's registry, as its own clients push to it (OCI distribution specification 1.1). */
export class Repository {
  readonly #connection: Connection
  readonly #name: string
  readonly #roots: readonly string[]

  static async open(connection: Connection, name: string): Promise<Repository> {
    const { ca } = connection
    const roots = [...(await rootsInForce(process.env['SSL_CERT_FILE'])), ...(ca === undefined ? [] : [ca])]
    return new Repository(connection, name, roots)
  }

  private constructor(connection: Connection, name: string, roots: readonly string[]) {
    this.#connection = connection
    this.#name = name
    this.#roots = roots
  }

  async has(digest: string): Promise<boolean> {
    return (await this.#ask('HEAD', `/v2/${this.#name}/blobs/${digest}`)).status === 200
  }

  /** Stores a stream. Throws the registry's own words, also when its digest is not the one that was expected. */
  async put(content: AsyncIterable<Uint8Array>, expected?: string): Promise<Stored> {
    const begun = await this.#mustBe([202], 'POST', `/v2/${this.#name}/blobs/uploads/`)
    const hash = createHash('sha256')
    let size = 0
    const counted = async function* () {
      for await (const chunk of content) {
        hash.update(chunk)
        size += chunk.length
        yield chunk
      }
    }
    const sent = await this.#mustBe(
      [202],
      'PATCH',
      begun.location ?? '',
      Readable.from(counted(), { objectMode: false }),
    )
    const digest = `sha256:${hash.digest('hex')}`
    if (expected !== undefined && expected !== digest)
      throw new Error(`the archive is damaged: ${expected} in it is ${digest}`)
    const location = sent.location ?? begun.location ?? ''
    await this.#mustBe([201], 'PUT', `${location}${location.includes('?') ? '&' : '?'}digest=${digest}`)
    return { digest, size }
  }

  /** Answers the digest that it has. */
  async putManifest(bytes: Buffer, mediaType: string, tag: string): Promise<string> {
    await this.#mustBe(
      [201],
      'PUT',
      `/v2/${this.#name}/manifests/${tag}`,
      Readable.from([bytes], { objectMode: false }),
      mediaType,
    )
    return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  }

  async #mustBe(statuses: readonly number[], ...asked: Asked): Promise<Answer> {
    const answer = await this.#ask(...asked)
    if (statuses.includes(answer.status)) return answer
    const refused = Refused.safeParse(jsonOf(answer.said))
    const why = refused.success
      ? refused.data.errors.map(({ message }) => message).join('; ')
      : answer.said.slice(0, 200)
    throw new Error(`the registry at ${this.#connection.url} answered ${answer.status}: ${why}`)
  }

  async #ask(...[method, path, body, type = 'application/octet-stream']: Asked): Promise<Answer> {
    const { url, key } = this.#connection
    const headers = {
      authorization: `Basic ${Buffer.from(`carrick:${key}`).toString('base64')}`,
      ...(body === undefined ? { 'content-length': '0' } : { 'content-type': type }),
    }
    const options: RequestOptions = { method, headers, ca: [...this.#roots], timeout: silenceMs }
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, url), options, (response) => {
        text(response).then(
          (said) => resolve({ status: response.statusCode ?? 0, said, location: response.headers.location }),
          reject,
        )
      })
      asked.on('timeout', () => asked.destroy(new Error(`no answer within ${silenceMs / 1_000} seconds`)))
      asked.on('error', (cause) => reject(new Error(`Carrick at ${url} does not answer (${cause.message})`, { cause })))
      if (body === undefined) asked.end()
      else
        pipeline(body, new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) }), asked).catch(reject)
    })
  }
}

function jsonOf(said: string): unknown {
  try {
    return JSON.parse(said)
  } catch {
    return undefined
  }
}
