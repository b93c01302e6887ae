import type { Duplex } from 'node:stream'
import { disconnected } from '../body.ts'

/** A caller that waits for the answer to its handshake. */
export interface Patience {
  /** Aborted when it leaves. */
  readonly gone: AbortSignal
  /** Ends the watch over what it sends; gives what it has sent so far. The connection is paused. */
  end(): Buffer
}

/** Callers that keep to the protocol send nothing yet. */
const mostBytes = 64 * 1024

/** Watches a connection whose turn has not come: it is read, because nobody would notice its end otherwise. */
export function watch(socket: Duplex, head: Buffer): Patience {
  const gone = new AbortController()
  const leave = () => gone.abort(disconnected())
  const early = [head]
  let bytes = 0

  const take = (chunk: Buffer) => {
    early.push(chunk)
    bytes += chunk.length
    if (bytes > mostBytes) socket.destroy()
  }
  if (socket.destroyed) leave()
  socket.once('close', leave).once('end', leave).on('data', take)
  return {
    gone: gone.signal,
    end() {
      socket.off('data', take).off('end', leave).off('close', leave).pause()
      return Buffer.concat(early)
    },
  }
}
