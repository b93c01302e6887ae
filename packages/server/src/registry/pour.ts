import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** More than this is not read before it is written. */
const mostWaiting = 4 * 1024 * 1024

/**
 * Writes what comes to a file, from `position` on: while the disk is busy, all that has come is one write. `seen` is
 * called with every chunk, in order, before it is written; what it throws ends the pouring. Resolves when all of it was
 * written, and rejects when the source broke or the disk did: then what was seen until there is written, unless the disk
 * failed. The source stays open: it may be a socket on which a refusal still has to go out.
 */
export function pour(
  source: Readable,
  file: FileHandle,
  position: number,
  seen: (chunk: Buffer) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let waiting: Buffer[] = []
    let bytes = 0
    let at = position
    let writing = false
    let ended: { readonly error?: unknown } | undefined

    const finish = (): void => {
      if (writing || waiting.length > 0 || ended === undefined) return
      if ('error' in ended) reject(ended.error)
      else resolve()
    }
    const end = (how: { readonly error?: unknown }): void => {
      ended ??= how
      source.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose).on('error', ignore)
      finish()
    }
    const write = async (): Promise<void> => {
      writing = true
      while (waiting.length > 0) {
        const batch = waiting
        waiting = []
        bytes = 0
        if (ended === undefined) source.resume()
        at += await writeAll(file, batch, at)
      }
      writing = false
      finish()
    }
    const onData = (chunk: Buffer): void => {
      try {
        seen(chunk)
      } catch (error) {
        source.pause()
        return end({ error })
      }
      waiting.push(chunk)
      bytes += chunk.length
      if (bytes > mostWaiting) source.pause()
      if (writing) return
      write().catch((error: unknown) => {
        writing = false
        waiting = []
        source.pause()
        ended = { error } // more than how the source ended
        end({ error })
      })
    }
    const onEnd = () => end({})
    const onError = (error: unknown) => end({ error })
    const onClose = () => end({ error: new Error('the sender left before it had sent all') })
    source.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  })
}

async function writeAll(file: FileHandle, batch: readonly Buffer[], at: number): Promise<number> {
  const length = batch.reduce((sum, { length: each }) => sum + each, 0)
  const { bytesWritten } = await file.writev(batch, at)
  let written = bytesWritten
  // A disk that is filling up takes a part.
  for (const rest = written < length ? Buffer.concat(batch) : undefined; rest !== undefined && written < length;) {
    written += (await file.write(rest, written, length - written, at + written)).bytesWritten
  }
  return length
}

const ignore = () => {}
