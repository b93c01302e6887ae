import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AppId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Moment } from '../../kit/clock.ts'
import type { LogFilter, LogLine } from '../../logs/log-store.ts'
import type { Deps } from '../deps.ts'
import { levels, logSources } from '../logs/logs.ts'
import { operation } from '../operation.ts'
import { endpointOf } from './finished.ts'
import { cursorOf, placeOf, type Page } from './input.ts'

const Filter = z.object({
  /** `owner/app`, or the id that its lines are labelled with. */
  app: z.string().optional(),
  runnerId: z.string().optional(),
  requestId: z.string().optional(),
  revisionId: z.string().optional(),
  source: z
    .string()
    .pipe(z.enum(logSources, `Log lines come from ${logSources.join(', ')} here`))
    .optional(),
  /** In any case; one of these. */
  levels: z
    .array(z.string().toLowerCase().pipe(z.enum(levels)))
    .max(levels.length)
    .optional(),
  traceback: z.literal(true).optional(),
  search: z.string().max(1_000).optional(),
  start: z.number().optional(),
  end: z.number().optional(),
})
type Filter = z.output<typeof Filter>

/**
 * A page of the account's log lines, newest first. Lines of one millisecond stay together. A search that takes long
 * gives what it has found by then, which may be nothing, and where to go on.
 */
export const platformLogs = operation(
  { permission: 'logs:read', input: Filter.extend({ limit: z.number(), cursor: z.string().optional() }) },
  async (deps, caller, { limit, cursor, ...asked }): Promise<Page<LogLine>> => {
    const until = cursor === undefined ? asked.end : placeOf(z.tuple([z.number()]), cursor)[0]
    const query = { ...filterOf(deps, caller, asked), ...since(asked.start), ...(until !== undefined && { until }) }
    const { lines, nextUntil } = await deps.logs.page({ ...query, limit })
    return { items: lines, ...(nextUntil !== undefined && { next: cursorOf([nextUntil]) }) }
  },
)

/** How long silence lasts before it is said that nobody has left. */
const silenceMs = 1_000

/**
 * The account's log lines as they come, and before them those since `start`, the newest 10,000 at most. Ends at `end`,
 * and when the server stops.
 */
export const followPlatformLogs = operation(
  { permission: 'logs:read', input: Filter },
  async (deps, caller, asked, { signal }): Promise<AsyncGenerator<readonly LogLine[]>> =>
    follow(deps, filterOf(deps, caller, asked), asked, signal),
)

async function* follow(
  deps: Deps,
  filter: LogFilter,
  { start, end = Infinity }: Filter,
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  using tail = deps.logs.follow(filter)
  if (start !== undefined) yield (await deps.logs.query({ ...filter, ...since(start), limit: 10_000 })).toReversed()
  while (!signal.aborted && !deps.isDraining() && deps.clock.now() < end) {
    const soon = AbortSignal.timeout(Math.max(1, Math.min(silenceMs, end - deps.clock.now())))
    yield (await tail.next(AbortSignal.any([signal, soon]))).filter(({ at }) => at < end)
  }
}

function wholeApp(deps: Pick<Deps, 'apps'>, caller: Caller, id: string): AppId {
  if (deps.apps.byId(id)?.app.accountId === caller.accountId) return id
  const { app, route } = endpointOf(deps, caller, id)
  if (route === '') return app.id
  throw new CarrickError(
    'unimplemented',
    `Logs cannot be filtered by route here: send ${app.owner}/${app.name} as app_id`,
  )
}

const since = (start: Moment | undefined) => (start === undefined ? {} : { since: start })

function filterOf(deps: Pick<Deps, 'apps'>, caller: Caller, { app, ...asked }: Filter): LogFilter {
  const { runnerId, requestId, revisionId, source, levels: named, traceback, search } = asked
  return {
    accountId: caller.accountId,
    ...(app !== undefined && { appId: wholeApp(deps, caller, app) }),
    ...(runnerId !== undefined && { runnerId }),
    ...(requestId !== undefined && { requestId }),
    ...(revisionId !== undefined && { revisionId }),
    ...(source !== undefined && { source }),
    ...(named !== undefined && { levels: named }),
    ...(traceback !== undefined && { traceback }),
    ...(search !== undefined && { search }),
  }
}
