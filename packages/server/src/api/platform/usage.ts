import { z } from 'zod'
import { priceAt, steadily, type PriceSince } from '../../domain/usage-prices.ts'
import { machinePrices } from '../../store/machine-prices.ts'
import { runnerTimes, type RunnerTime } from '../../store/reports.ts'
import { operation } from '../operation.ts'
import { windowOf } from './input.ts'

/** Runner time at one price. */
export interface PricedTime extends RunnerTime {
  readonly price: PriceSince | undefined
}

/**
 * How long the caller's apps had runners, by app, environment, machine type and price; of `search` those whose name holds
 * it. What callers of shared apps pay for is in it: `usageReport` tells them apart.
 */
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
    const prices = await deps.store.read(machinePrices())
    const found: PricedTime[] = []
    for (const span of until.from < until.to ? steadily(prices, until) : [])
      for (const time of await deps.store.read(runnerTimes(caller.accountId, span)))
        found.push({ ...time, price: priceAt(prices, time.machineType, span.from) })
    const asked = found.filter(({ app }) => app.includes(search.toLowerCase()) && isNamed(app))
    return { window, times: samePrices(asked), currency: deps.server.currency }

    function isNamed(app: string): boolean {
      return apps?.some((name) => name === app || name === `${caller.nickname}/${app}`) ?? true
    }
  },
)

/** One row for each price: a price of another type may have changed in between. */
function samePrices(times: readonly PricedTime[]): readonly PricedTime[] {
  const byKind = Map.groupBy(times, ({ app, environment, machineType, price }) =>
    JSON.stringify([app, environment, machineType, price?.perSecond ?? 0, price?.gpus]),
  )
  return [...byKind.values()].flatMap(([first, ...more]) =>
    first === undefined
      ? []
      : more.reduce(
          (sum, { milliseconds, gpuMilliseconds }) => ({
            ...sum,
            milliseconds: sum.milliseconds + milliseconds,
            gpuMilliseconds: sum.gpuMilliseconds + gpuMilliseconds,
          }),
          first,
        ),
  )
}
