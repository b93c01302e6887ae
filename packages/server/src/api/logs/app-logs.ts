import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { LogLine } from '../../logs/log-store.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

const historyMs = 3_600_000
const historyLines = 200
/** How long silence lasts before the reader is told that there is nothing new. */
const silenceMs = 4_000
/** A stream that is still open then ends, so that none is open for ever. */
const longestMs = 24 * 3_600_000

/**
 * What all runners of an app say, oldest first: the newest 200 lines of the last hour, and from there on each as it
 * comes. Ends when the app is deleted, when the server stops, and after a day; silence is a batch without lines.
 */
export const followApp = operation(
  { permission: 'logs:read', input: z.object({ owner: z.string(), name: z.string() }) },
  async (deps, caller, { owner, name }, { signal }): Promise<AsyncGenerator<readonly LogLine[]>> => {
    const app = deps.apps.find(owner, name)?.app
    if (app?.accountId !== caller.accountId)
      throw new CarrickError('app_not_found', `Application "${owner}/${name}" not found: this key reads no log of it`)
    return follow(deps, { appId: app.id, accountId: app.accountId }, signal)
  },
)

async function* follow(
  deps: Deps,
  filter: { readonly appId: string; readonly accountId: string },
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  const begun = deps.clock.now()
  using tail = deps.logs.follow(filter)
  const past = await deps.logs.query({ ...filter, since: begun - historyMs, limit: historyLines })
  yield past.toReversed()
  const goesOn = () => !signal.aborted && !deps.isDraining() && deps.clock.now() - begun < longestMs
  while (goesOn() && deps.apps.byId(filter.appId) !== undefined)
    yield await tail.next(AbortSignal.any([signal, AbortSignal.timeout(silenceMs)]))
}
