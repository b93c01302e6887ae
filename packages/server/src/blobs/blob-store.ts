import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { BlobKey } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'

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

/** Some of a blob's bytes: from `start` to `end`, both included. */
export interface BlobRange {
  readonly start: number
  readonly end: number
}

/** A file that holds what is to be a blob. */
export interface BlobDraft {
  readonly path: string
  readonly length: number
  /** Of its bytes, as whoever wrote them found: it is not computed again. */
  readonly key: BlobKey
}

/** What is there for those who write a blob piece by piece, or read pieces of it. */
export interface PieceBlobs extends BlobStore {
  /** Where a new draft may be written: on the same disk where there is one. What is there at a start is deleted. */
  draftPath(): string
  /** Takes over a draft. It lasts when this resolves, and the file is gone; when it rejects the file may be there. */
  adopt(draft: BlobDraft): Promise<void>
  /** The file itself, where blobs are files of this machine. Whoever opens it closes it. */
  openFile?(key: BlobKey): Promise<FileHandle>
  /** Of a blob that is that long at least. Unlike a whole one, what comes is not compared with its key. */
  openRange(key: BlobKey, range: BlobRange): Promise<Readable>
}

/** Blobs, and how work that must not be lost looks at them. */
export interface LastingBlobs extends BlobStore {
  /** The same blobs, which are tried for minutes where the others reject with `storage_unavailable`; until the signal, whose reason is the error then. */
  patient(signal: AbortSignal): BlobStore
}

/** What is known of a blob without reading it. */
export interface AboutBlob {
  readonly putAt: Moment
  /** Undefined where it is far away. */
  readonly length: number | undefined
}
