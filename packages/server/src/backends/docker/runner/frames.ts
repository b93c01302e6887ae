import { PassThrough, type Readable } from 'node:stream'

/**
 * The engine sends what a container says as frames on one connection: a byte that tells the stream, three that are zero,
 * four for the length, and the bytes.
 */
const headerBytes = 8

export type Said = { readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }

/** Takes frames apart, however they are cut: what is there of a frame is passed on at once. */
export class FrameReader {
  #header = Buffer.alloc(0)
  #stream: Said['stream'] = 'stdout'
  #left = 0

  read(chunk: Buffer): readonly Said[] {
    const said: Said[] = []
    let rest = chunk
    while (rest.length > 0) {
      if (this.#left === 0) rest = this.#begin(rest)
      const data = rest.subarray(0, this.#left)
      rest = rest.subarray(data.length)
      this.#left -= data.length
      if (data.length > 0) said.push({ stream: this.#stream, data })
    }
    return said
  }

  /** Answers what comes after the header, or nothing while that is not whole. */
  #begin(chunk: Buffer): Buffer {
    const missing = headerBytes - this.#header.length
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, missing)])
    if (this.#header.length < headerBytes) return Buffer.alloc(0)
    this.#stream = this.#header[0] === 2 ? 'stderr' : 'stdout'
    this.#left = this.#header.readUInt32BE(4)
    this.#header = Buffer.alloc(0)
    return chunk.subarray(missing)
  }
}

/** The two pipes that a connection carries. Nothing is read ahead of whoever reads them; both end with it. */
export function apart(connection: Readable): Readonly<Record<Said['stream'], Readable>> {
  const pipes = { stdout: new PassThrough(), stderr: new PassThrough() }
  const reader = new FrameReader()
  const isFull = () => pipes.stdout.writableNeedDrain || pipes.stderr.writableNeedDrain
  const goOn = () => void (isFull() || connection.resume())
  for (const pipe of Object.values(pipes)) pipe.on('drain', goOn)
  connection.on('data', (chunk: Buffer) => {
    for (const { stream, data } of reader.read(chunk)) pipes[stream].write(data)
    if (isFull()) connection.pause()
  })
  const end = () => Object.values(pipes).forEach((pipe) => pipe.end())
  connection.once('end', end)
  connection.once('close', end)
  connection.on('error', () => {}) // 'close' follows
  return pipes
}
