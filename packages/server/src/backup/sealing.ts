import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'

/** An age file (https://age-encryption.org/v1) begins so; `age -d` opens it as well. */
const ageMark = Buffer.from('age-encryption.org/v1\n')

/** The bytes under a passphrase. Its library is loaded where it is used. */
export async function sealed(plain: Readable, passphrase: string): Promise<Readable> {
  const { Encrypter } = await import('age-encryption')
  const age = new Encrypter()
  age.setPassphrase(passphrase)
  return readable(await age.encrypt(Readable.toWeb(plain) as never))
}

/** The bytes without it, where they have one. Throws a sentence when there is none to open them with, or it is another. */
export async function unsealed(source: Readable, passphrase: string | undefined): Promise<Readable> {
  const whole = await withStart(source, ageMark.length)
  if (!whole.start.equals(ageMark)) return whole.stream
  if (passphrase === undefined)
    throw new Error(
      'the backup is encrypted: give its passphrase in CARRICK_BACKUP_PASSPHRASE, or with --passphrase-file',
    )
  const { Decrypter } = await import('age-encryption')
  const age = new Decrypter()
  age.addPassphrase(passphrase)
  try {
    return readable(await age.decrypt(Readable.toWeb(whole.stream) as never))
  } catch (cause) {
    throw new Error('the backup is encrypted, and this is not its passphrase: nothing was restored', { cause })
  }
}

const readable = (stream: unknown) => Readable.fromWeb(stream as ReadableStream<Uint8Array>)

/** The first bytes of a stream, and the stream with them. */
async function withStart(source: Readable, length: number): Promise<{ start: Buffer; stream: Readable }> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let start = Buffer.alloc(0)
  while (start.length < length) {
    const next = await chunks.next()
    if (next.done === true) break
    start = Buffer.concat([start, next.value])
  }
  async function* all() {
    yield start
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value
  }
  return { start: start.subarray(0, length), stream: Readable.from(all(), { objectMode: false }) }
}
