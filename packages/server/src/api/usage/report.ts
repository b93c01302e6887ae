import { z } from 'zod'
import { callerIdOf } from '../../domain/caller-id.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { Caller } from '../../domain/permissions.ts'
import { hourMs, hourOf, nothing, partsOfRunner } from '../../domain/usage.ts'
import { costOf, priceAt, steadily, type PriceSince } from '../../domain/usage-prices.ts'
import { finestMs, grouped, total, usageDimensions, type UsageEntry } from '../../domain/usage-report.ts'
import { machinePrices } from '../../store/machine-prices.ts'
import type { Window } from '../../store/reports.ts'
import { mostSums, uncountedOf, usageSums, type UsageSum } from '../../store/usage.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

const dayMs = 24 * hourMs
const usualDays = 30
const mostDays = 400

/** Whose use is meant: that of the account's own apps, whoever calls them, or that which the account pays for. */
export const usageViews = ['owned', 'paid'] as const

const Asked = z.object({
  by: z.array(z.enum(usageDimensions)).max(usageDimensions.length),
  start: z.number().optional(),
  end: z.number().optional(),
  view: z.enum(usageViews).default('owned'),
  /** `owner/name`, or the name of one of the account's own. */
  app: z.string().max(500).optional(),
  environment: z.string().max(100).optional(),
})

/**
 * What was used, in sums, until now: seconds of runners and of their GPUs, requests that reached a runner, billable units,
 * and money where the operator has set prices. A window is widened to whole hours, of UTC.
 */
export const usageReport = operation({ permission: 'metrics:read', input: Asked }, async (deps, caller, asked) => {
  const window = wholeHours(asked, deps.clock.now())
  const { entries, prices } = await deps.usageKeeper.whileSettled(() => entriesOf(deps, caller, { ...asked, window }))
  return {
    window,
    by: asked.by,
    rows: grouped(entries, asked.by),
    total: total(entries),
    currency: prices.length > 0 ? deps.server.currency : null,
  }
})

/** What an account pays for a window of whole hours, in the operator's currency. */
export async function spentIn(deps: Counting, account: Account, window: Window): Promise<number> {
  const asked: Question = { by: [], view: 'paid', window }
  const { entries } = await deps.usageKeeper.whileSettled(() => entriesOf(deps, account, asked))
  return total(entries).cost
}

/** What it takes to count. */
type Counting = Pick<Deps, 'store' | 'clock' | 'usageKeeper'>
type Account = Pick<Caller, 'accountId' | 'nickname'>

interface Question extends Omit<z.output<typeof Asked>, 'start' | 'end'> {
  readonly window: Window
}

async function entriesOf(
  deps: Pick<Deps, 'store' | 'clock'>,
  caller: Account,
  { by, view, app, environment, window }: Question,
) {
  const prices = await deps.store.read(machinePrices())
  const { accountId } = caller
  const bucketMs = steadily(prices, window).length > 1 ? hourMs : finestMs(by)
  const told = (['revision', 'caller', 'key'] as const).filter((name) => by.includes(name))
  const stored = await deps.store.read(
    usageSums({ accountId, view, window, bucketMs, by: by.includes('key') ? [...told, 'caller'] : told }),
  )
  if (stored.length > mostSums) throw tooMuch()
  const living = await livingSums(deps, caller, window)
  const entries = [...stored, ...living]
    .filter((sum) => isAsked(sum, { app, environment }, caller))
    .map((sum) => entryOf(sum, caller, prices, bucketMs === undefined ? window.from : sum.hour))
  return { entries, prices }
}

/** What runners have used that live: it is in no sum before they end. */
async function livingSums(
  { store, clock }: Pick<Deps, 'store' | 'clock'>,
  caller: Account,
  window: Window,
): Promise<readonly UsageSum[]> {
  const living = await store.read(uncountedOf(caller.accountId))
  return living.flatMap((runner) =>
    partsOfRunner(runner, clock.now())
      .filter(({ hour }) => hour >= window.from && hour < window.to)
      .map((part) => ({ ...part, owner: caller.nickname, app: runner.app, environment: runner.environment })),
  )
}

function isAsked(
  { owner, app, environment }: UsageSum,
  asked: { readonly app: string | undefined; readonly environment: string | undefined },
  { nickname }: Account,
): boolean {
  const name = asked.app?.includes('/') === false ? `${nickname}/${asked.app}` : asked.app
  return (name ?? `${owner}/${app}`) === `${owner}/${app}` && (asked.environment ?? environment) === environment
}

/** What others do with their own apps and keys is not told. */
function entryOf(sum: UsageSum, caller: Account, prices: readonly PriceSince[], hour: number): UsageEntry {
  const { owner, app, environment, revisionId, machineType, callerId, keyId } = sum
  const isOwn = owner === caller.nickname
  const ownCall = callerId === caller.accountId
  return {
    of: {
      app: `${owner}/${app}`,
      environment,
      revision: isOwn && revisionId !== '' ? revisionId : null,
      'machine-type': machineType === '' ? null : machineType,
      caller: ownCall ? caller.nickname : callerIdOf(callerId === '' ? undefined : callerId, caller),
      key: ownCall && keyId !== '' ? keyId : null,
    },
    hour: sum.hour,
    used: { ...nothing, runnerMs: sum.runnerMs, gpuMs: sum.gpuMs, requests: sum.requests, units: sum.units },
    cost: costOf(sum, priceAt(prices, machineType, hour)),
  }
}

/** The window that was asked for, in whole hours: the last 30 days unless something else was said. */
function wholeHours(asked: Pick<z.output<typeof Asked>, 'start' | 'end'>, now: number): Window {
  const end = Math.min(asked.end ?? now + 1, now + 1)
  const start = asked.start ?? end - usualDays * dayMs
  if (start >= end) throw new CarrickError('bad_request', 'start must be before end, and not in the future')
  if (end - start > mostDays * dayMs)
    throw new CarrickError('bad_request', `A window may be ${mostDays} days long, not more: choose a later start`)
  return { from: hourOf(start), to: hourOf(end + hourMs - 1) }
}

function tooMuch(): CarrickError {
  const advice = 'choose a shorter window, or tell fewer things apart'
  return new CarrickError('bad_request', `That would be more than ${mostSums} sums: ${advice}`)
}
