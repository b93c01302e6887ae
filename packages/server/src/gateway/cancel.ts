import { json } from './answers.ts'
import type { Exchange, GatewayDeps } from './deps.ts'
import { questioner, visibleRequest } from './lookup.ts'
import type { RequestRoute } from './route.ts'

/** Takes a waiting request out of the queue, or asks the app to stop. How it ends shows in status and result. */
export async function answerCancel(deps: GatewayDeps, exchange: Exchange, route: RequestRoute): Promise<void> {
  const { res, requestId } = exchange
  const caller = questioner(deps, exchange, route)
  const seen = await visibleRequest(deps, caller, route)
  if (seen === undefined) return json(res, 404, { status: 'NOT_FOUND' })
  if ((await deps.cancel(requestId)) === 'too_late') return json(res, 400, { status: 'ALREADY_COMPLETED' })
  json(res, 202, { status: 'CANCELLATION_REQUESTED' })
}
