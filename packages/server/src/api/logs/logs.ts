import { z } from 'zod'
import type { Caller } from '../../domain/permissions.ts'
import type { LogLevel, LogLine, LogPage, LogSource } from '../../logs/log-store.ts'
import { runnerById } from '../../store/runners.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { moment } from '../platform/input.ts'
import { unknownRunner } from '../runners/runners.ts'

/** What a caller may name. */
export const levels = [
  'trace',
  'debug',
  'info',
  'warning',
  'error',
  'stdout',
  'stderr',
] as const satisfies readonly LogLevel[]
export const logSources = ['builder', 'bridge', 'user'] as const satisfies readonly LogSource[]

const LogWindow = z.object({
  runnerId: z.string().optional(),
  requestId: z.string().optional(),
  revisionId: z.string().optional(),
  /** In any case. */
  level: z.string().toLowerCase().pipe(z.enum(levels)).optional(),
  source: z.enum(logSources).optional(),
  search: z.string().max(1_000).optional(),
  since: moment.optional(),
  until: moment.optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
})
type LogWindow = z.output<typeof LogWindow>

/** A page of log lines, newest first. `nextUntil` is the end of the next page; absent when nothing older is left. */
export const logHistory = operation(
  { permission: 'logs:read', input: LogWindow },
  async (deps, caller, window): Promise<LogPage> => {
    const { runnerId } = window
    const runner = runnerId === undefined ? undefined : await deps.store.read(runnerById(runnerId))
    if (runner !== undefined && runner.accountId !== caller.accountId) return { lines: [] } // not worth a search
    return deps.logs.page({ ...queryOf(window), accountId: caller.accountId })
  },
)

/** Lines that tell of an exception with its traceback, newest first, as text even where an app wrote JSON. */
export const logTracebacks = operation(
  { permission: 'logs:read', input: LogWindow.extend({ traceback: z.literal(true).optional() }) },
  async (deps, caller, { traceback, ...window }): Promise<readonly LogLine[]> => {
    const only = traceback === undefined ? {} : { traceback }
    const lines = await deps.logs.query({
      ...queryOf(window),
      ...only,
      accountId: caller.accountId,
      limit: window.limit,
    })
    return lines.map((line) => ({ ...line, message: unwrapped(line.message) }))
  },
)

function queryOf<Window extends Pick<LogWindow, 'level'>>({ level, ...window }: Window) {
  return { ...window, ...(level === undefined ? {} : { levels: [level] }) }
}

/** Apps of the SDK print a traceback as one line of JSON. */
function unwrapped(message: string): string {
  if (!message.startsWith('{"traceback":')) return message
  try {
    const { traceback } = JSON.parse(message) as { traceback?: unknown }
    return typeof traceback === 'string' ? traceback : message
  } catch {
    return message // it was cut
  }
}

const Followed = LogWindow.omit({ limit: true }).extend({
  runnerId: z.string().min(1, 'name the runner whose lines you want to follow, as job_id'),
})
type Followed = z.output<typeof Followed>

/** What was said lately is part of what one follows. */
const usualHistoryMs = 60_000
/** How long silence lasts before it is looked whether more can come. */
const lookAfterMs = 1_000

/**
 * A runner's lines, oldest first: those since then, at most the newest 10,000, and from there on each as it comes.
 * Ends when the runner has ended and has nothing more to say, at `until`, and when the server stops; silence is a batch
 * without lines.
 */
export const followLogs = operation(
  { permission: 'logs:read', input: Followed },
  async (deps, caller, followed, { signal }): Promise<AsyncGenerator<readonly LogLine[]>> => {
    const runner = await deps.store.read(runnerById(followed.runnerId))
    if (runner?.accountId !== caller.accountId) throw unknownRunner(followed.runnerId)
    return follow(deps, caller, followed, signal)
  },
)

async function* follow(
  deps: Deps,
  { accountId }: Caller,
  { since = deps.clock.now() - usualHistoryMs, until = Infinity, ...followed }: Followed,
  signal: AbortSignal,
): AsyncGenerator<readonly LogLine[]> {
  const filter = { ...queryOf(followed), runnerId: followed.runnerId }
  using tail = deps.logs.follow({ ...filter, accountId })
  const past = { ...filter, accountId, since, limit: 10_000, ...(until === Infinity ? {} : { until }) }
  yield (await deps.logs.query(past)).toReversed()
  while (!signal.aborted && !deps.isDraining()) {
    const lines = await tail.next(AbortSignal.any([signal, AbortSignal.timeout(lookAfterMs)]))
    yield lines.filter(({ at }) => at >= since && at < until)
    if (deps.clock.now() >= until) return
    if (lines.length === 0 && (await hasFallenSilent(deps, filter.runnerId))) return
  }
}

/** A runner's last lines may come a moment after its end. */
async function hasFallenSilent({ store, clock }: Deps, runnerId: string): Promise<boolean> {
  const runner = await store.read(runnerById(runnerId))
  return runner?.state !== 'terminated' ? runner === undefined : runner.endedAt + lookAfterMs <= clock.now()
}
