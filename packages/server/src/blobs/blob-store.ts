import type { Readable } from 'node:stream'
import type { BlobKey } from '../domain/ids.ts'

/**
 * Large bodies and pickles, content-addressed by SHA-256. A blob lasts before its key is given out: synced, folder too,
 * or acknowledged by the object store. One that is elsewhere rejects with `storage_unavailable` when it cannot be reached.
 */
export interface BlobStore {
  /** Stores a stream of at most `limit` bytes, without holding it in memory. Rejects with `body_too_large` beyond it, `disk_full` when there is no room. */
  put(source: Readable | Uint8Array, limit?: number): Promise<{ key: BlobKey; length: number }>
  /** Rejects when it is not there or cannot be read. Whoever opens it reads it to the end or destroys it. */
  open(key: BlobKey): Promise<Readable>
  /** A path at which a runner on this machine can read it. A promise where it has to be brought here first. */
  pathOf(key: BlobKey): string | Promise<string>
}

/** Blobs, and how work that must not be lost looks at them. */
export interface LastingBlobs extends BlobStore {
  /** The same blobs, which are tried for minutes where the others reject with `storage_unavailable`; until the signal, whose reason is the error then. */
  patient(signal: AbortSignal): BlobStore
}
