import type { PieceBlobs } from '../blobs/blob-store.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { Store } from '../store/store.ts'
import type { Uploads } from './uploads.ts'

/** What requests to the registry work with. */
export interface RegistryDeps {
  readonly store: Store
  readonly blobs: PieceBlobs
  readonly uploads: Uploads
  readonly clock: Clock
  readonly log: Logger
  /** How long what nothing names is kept. */
  readonly graceMs: number
  /** What of these digests environments of the platform name: it is not deleted. */
  readonly pinned: (digests: readonly string[]) => Promise<ReadonlySet<string>>
}
