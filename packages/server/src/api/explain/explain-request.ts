import { z } from 'zod'
import type { Moment } from '../../kit/clock.ts'
import type { RequestId } from '../../domain/ids.ts'
import { wireName } from '../../domain/names.ts'
import { requestReasons, type RequestReason, type RequestStory } from '../../domain/request-story.ts'
import type { RequestState } from '../../domain/request.ts'
import { waitOf } from '../../store/explanations.ts'
import { attemptsOf, type AttemptEntry } from '../../store/request-lists.ts'
import { timelineOf } from '../../store/timelines.ts'
import { ownRequest } from '../requests/requests.ts'
import { operation } from '../operation.ts'

/** Why a request is where it is. */
export interface RequestExplained {
  readonly id: RequestId
  /** `owner/name` */
  readonly app: string
  readonly state: RequestState
  readonly at: Moment
  readonly reasons: readonly RequestReason[]
}

/** Why a request of one of the caller's apps waits, or what became of it. */
export const explainRequest = operation(
  { permission: 'requests:read', input: z.object({ id: z.string().max(200) }) },
  async (deps, caller, { id }): Promise<RequestExplained> => {
    const { app, request } = await ownRequest(deps, caller, id)
    const [attempts, timeline, wait] = await Promise.all([
      deps.store.read(attemptsOf(id)),
      timelineOf(deps.store, id, deps.clock.now()),
      deps.store.read(waitOf(id)),
    ])
    const decision = deps.runners.decisions(app.id).now
    const story: RequestStory = {
      ...request,
      app: wireName(app),
      failures: attempts.flatMap(failureIn),
      dueAt: wait?.dueAt ?? 0,
      startBy: wait?.startBy,
      position: deps.homes.of(app.id).positionOf(id),
      timeline,
      decision,
    }
    return { id, app: story.app, state: request.state, at: decision.at, reasons: requestReasons(story) }
  },
)

/** Those only that another follows, or was to. */
function failureIn({ number, runnerId, failedAt, failedCode, failedStatus }: AttemptEntry) {
  if (failedAt === undefined) return []
  return [{ number, runnerId, failedAs: failedCode ?? String(failedStatus ?? 'an error') }]
}
