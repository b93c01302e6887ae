import type { NewRequest } from '../domain/request.ts'
import type { Clock } from '../kit/clock.ts'
import type { Seq } from '../domain/ids.ts'
import { acceptOnce, type Earlier, type IdempotencyKey } from '../store/idempotency.ts'
import { acceptRequest, type FirstSlot } from '../store/requests.ts'
import { acceptRetry, type Retry } from '../store/retries.ts'
import type { Store, Write } from '../store/store.ts'
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
 * count as an attempt. With a name that its caller has used before, nothing is put there, and the request that has the
 * name is the answer.
 */
export async function accept(
  { homes, store, clock, accepting }: AcceptParts,
  request: NewRequest,
  name?: IdempotencyKey,
): Promise<Earlier | undefined> {
  const home = homes.of(request.appId)
  using slot = accepting() ? home.reserve(request.id, request.hint) : undefined
  // One that was sent before may have run long ago: nobody starts for it.
  using _place = slot ? undefined : home.announce({ asLoad: name === undefined })
  const now = clock.now()
  const accepted = await store.commit(acceptance(request, slot && { runnerId: slot.runnerId, now }, name))
  if (typeof accepted !== 'number') return accepted
  const { payload, dropIo: _dropIo, webhook, ...queued } = request
  const started = slot && { slot: slot.keep(), startedAt: now, payload }
  const state = { seq: accepted, attempt: started ? 1 : 0, dueAt: 0, used: {}, hasWebhook: webhook !== undefined }
  homes.of(request.appId).admit({ ...queued, ...state }, started)
  return undefined
}

function acceptance(request: NewRequest, slot: FirstSlot | undefined, name?: IdempotencyKey): Write<Seq | Earlier> {
  return name === undefined ? acceptRequest(request, slot) : acceptOnce(request, name, slot)
}

/**
 * Puts a request that has ended into its app's queue once more, as a new one; it is on disk when this resolves. `false`
 * when its input is kept no longer.
 */
export async function acceptAgain(
  { homes, store }: Pick<AcceptParts, 'homes' | 'store'>,
  retry: Retry,
): Promise<boolean> {
  using _place = homes.of(retry.appId).announce()
  const request = await store.commit(acceptRetry(retry))
  if (request !== undefined) homes.of(retry.appId).admit(request)
  return request !== undefined
}
