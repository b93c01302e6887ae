import type { RequestId } from '../domain/ids.ts'
import type { Outcome } from '../domain/request.ts'
import { acceptRequest, completeWaiting, finishAttempt } from '../store/requests.ts'
import type { Store } from '../store/store.ts'

export interface Ended {
  readonly appId: string
  readonly path?: string
  readonly input?: string
  readonly output?: string
  readonly headers?: Outcome['headers']
  readonly status?: number
  readonly error?: Outcome['error']
  readonly acceptedAt: number
  /** Without it, the request never started. */
  readonly startedAt?: number
  readonly finishedAt: number
}

/** Puts a request on record that came through the queue and has ended. */
export async function endTestRequest(
  store: Store,
  id: RequestId,
  { appId, path = '/', input = '{}', output = '{}', headers = [], status = 200, error, ...times }: Ended,
): Promise<void> {
  const text = new TextEncoder()
  const { acceptedAt, startedAt, finishedAt } = times
  const payload = {
    method: 'POST',
    path,
    headers: [],
    body: { inline: text.encode(input) },
    callerId: 'caller',
  } as const
  const retry = { forbidden: false, budgets: {} }
  const slot = startedAt === undefined ? undefined : { runnerId: 'runner-1', now: startedAt }
  await store.commit(acceptRequest({ id, appId, priority: 'normal', acceptedAt, retry, payload }, slot))
  const outcome: Outcome = { status, headers, body: { inline: text.encode(output) }, ...(error && { error }) }
  if (slot) await store.commit(finishAttempt({ requestId: id, attempt: 1, outcome, now: finishedAt }))
  else await store.commit(completeWaiting({ requestId: id, outcome, now: finishedAt }))
}
