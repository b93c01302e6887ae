import { z } from 'zod'
import { runnerTimes } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { windowOf } from './input.ts'

/** How long the caller's apps had runners, by app, environment and machine type; of `search` those whose name holds it. */
export const usage = operation(
  {
    permission: 'metrics:read',
    input: z.object({
      start: z.number().optional(),
      end: z.number().optional(),
      apps: z.array(z.string()).optional(),
      search: z.string().optional(),
    }),
  },
  async (deps, caller, { apps, search = '', ...times }) => {
    const now = deps.clock.now()
    const window = windowOf(times, now)
    // What has not happened yet is no use.
    const until = { from: window.from, to: Math.min(window.to, now) }
    const found = until.from < until.to ? await deps.store.read(runnerTimes(caller.accountId, until)) : []
    return { window, times: found.filter(({ app }) => app.includes(search.toLowerCase()) && isNamed(app)) }

    function isNamed(app: string): boolean {
      return apps?.some((name) => name === app || name === `${caller.nickname}/${app}`) ?? true
    }
  },
)
