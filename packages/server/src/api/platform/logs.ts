import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AppId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Moment } from '../../kit/clock.ts'
import type { LogFilter, LogLine } from '../../logs/log-store.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { endpointOf } from './finished.ts'
import { cursorOf, placeOf, type Page } from './input.ts'

const Filter = z.object({
  /** `owner/app`. */
  app: z.string().optional(),
  runnerId: z.string().optional(),
  requestId: z.string().optional(),
  search: z.string().max(1_000).optional(),
  start: z.number().optional(),
  end: z.number().optional(),
})
type Filter = z.output<typeof Filter>

/** Filters of the field that nothing here fulfils. Dropping one in silence would show other lines than those asked for. */
export function refuseFilters(asked: Readonly<Record<string, unknown>>): void {
  const [name] = Object.entries(asked).find(([, value]) => value !== undefined) ?? []
  if (name === undefined) return
  const message = `Logs cannot be filtered by ${name} here: app_id, job_id, request_id, search, start and end can be used`
  throw new CarrickError('unimplemented', message)
}

/** A page of the account's log lines, newest first. Lines of one millisecond stay together. */
export const platformLogs = operation(
  { permission: 'logs:read', input: Filter.extend({ limit: z.number(), cursor: z.string().optional() }) },
  async (deps, caller, { limit, cursor, ...asked }): Promise<Page<LogLine>> => {
    const until = cursor === undefined ? asked.end : placeOf(z.tuple([z.number()]), cursor)[0]
    const query = { ...filterOf(deps, caller, asked), ...since(asked.start), ...(until !== undefined && { until }) }
    const found = await deps.logs.query({ ...query, limit: limit + 1 })
    const leftOut = found[limit]
    if (leftOut === undefined) return { items: found }
    const whole = found.filter(({ at }) => at > leftOut.at)
    return whole.length > 0
      ? { items: whole, next: cursorOf([leftOut.at + 1]) }
      : { items: found.slice(0, limit), next: cursorOf([leftOut.at]) } // more of them than a page holds
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
  const { app, route } = endpointOf(deps, caller, id)
  if (route === '') return app.id
  throw new CarrickError(
    'unimplemented',
    `Logs cannot be filtered by route here: send ${app.owner}/${app.name} as app_id`,
  )
}

const since = (start: Moment | undefined) => (start === undefined ? {} : { since: start })

function filterOf(deps: Pick<Deps, 'apps'>, caller: Caller, { app, runnerId, requestId, search }: Filter): LogFilter {
  return {
    accountId: caller.accountId,
    ...(app !== undefined && { appId: wholeApp(deps, caller, app) }),
    ...(runnerId !== undefined && { runnerId }),
    ...(requestId !== undefined && { requestId }),
    ...(search !== undefined && { search }),
  }
}
