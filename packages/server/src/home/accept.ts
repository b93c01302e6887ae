import type { NewRequest } from '../domain/request.ts'
import type { Clock } from '../kit/clock.ts'
import { acceptRequest } from '../store/requests.ts'
import type { Store } from '../store/store.ts'
import type { Homes } from './home.ts'

interface AcceptParts {
  readonly homes: Pick<Homes, 'of'>
  readonly store: Store
  readonly clock: Clock
  /** False while the platform is going down: then nothing new is started. */
  readonly accepting: () => boolean
}

/**
 * Puts a request into its app's queue; it is on disk when this resolves. Where a slot is free, the start of the first
 * attempt is stored together with the request. Not while the platform goes down: nobody would send it, and it would
 * count as an attempt.
 */
export async function accept({ homes, store, clock, accepting }: AcceptParts, request: NewRequest): Promise<void> {
  const home = homes.of(request.appId)
  using slot = accepting() ? home.reserve(request.id) : undefined
  using _place = slot ? undefined : home.announce()
  const seq = await store.commit(acceptRequest(request, slot && { runnerId: slot.runnerId, now: clock.now() }))
  const { payload, keyId: _keyId, webhook, ...queued } = request
  const started = slot && { slot: slot.keep(), payload }
  const hasWebhook = webhook !== undefined
  homes.of(request.appId).admit({ ...queued, seq, attempt: started ? 1 : 0, dueAt: 0, used: {}, hasWebhook }, started)
}
