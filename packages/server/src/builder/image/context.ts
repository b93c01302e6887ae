import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'

/** Of every file in a context: when it was sent says nothing, and would make two builds of the same differ. */
export const epochSeconds = 315_532_800
const epoch = new Date(epochSeconds * 1_000)

/** A file of a build's context: its content, or the path of a file on this machine. */
export interface ContextFile {
  readonly path: string
  /** Permission bits. */
  readonly mode: number
  readonly content: string | Uint8Array | { file(): Promise<string> }
}

/** The files as a tar, read one after the other and only as fast as it is taken. An error of one is the stream's. */
export function contextOf(files: Iterable<ContextFile>): Readable {
  const tar = pack()
  const stream = new PassThrough()
  pipeline(Readable.from(tar), stream).catch(() => {}) // whoever reads the stream is told
  fill(tar, files).catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))))
  return stream
}

async function fill(tar: Pack, files: Iterable<ContextFile>): Promise<void> {
  for (const { path, mode, content } of files) {
    const header = { name: path, mode: mode & 0o777, mtime: epoch, uid: 0, gid: 0 }
    if (typeof content === 'string' || content instanceof Uint8Array) {
      tar.entry(header, Buffer.from(content))
      continue
    }
    const file = await content.file()
    const { size } = await stat(file)
    await pipeline(createReadStream(file), tar.entry({ ...header, size }))
  }
  tar.finalize()
}
