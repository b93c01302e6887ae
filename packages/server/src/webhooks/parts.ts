import type { Signer } from '../access/signer.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { DeliveryLimits } from '../domain/webhook.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import type { ReachOptions } from '../kit/reach.ts'
import type { Store } from '../store/store.ts'

/** What deliveries are made with. */
export interface WebhookParts {
  readonly store: Store
  readonly blobs: Pick<BlobStore, 'open'>
  readonly signer: Pick<Signer, 'sign'>
  readonly clock: Clock
  /** The world's time, which receivers compare with theirs. */
  readonly wallClock: Clock
  readonly log: Logger
  readonly random: () => number
  readonly way: Pick<ReachOptions, 'mayReach' | 'resolve'>
  /** The largest result that is sent along, in bytes of JSON. */
  readonly mostBytes: number
  readonly limits?: DeliveryLimits
}
