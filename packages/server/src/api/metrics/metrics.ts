import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import type { AccountId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { Moment } from '../../kit/clock.ts'
import { allAccounts } from '../../store/accounts.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import type { AppFigures } from './account.ts'
import { usageOf, type UsageSample } from './usage.ts'

/** What writes the answers is loaded with the first question: many servers are never asked. */
const account = () => import('./account.ts')
const server = () => import('./server.ts')

/** How long an answer stands, so that nobody who asks often costs more (platform-behaviour §9.3). */
const cachedMs = 10_000
const lastMinuteMs = 60_000

interface Cached {
  readonly until: Moment
  readonly text: Promise<string>
  /** What the next answer compares with. */
  readonly sample: Promise<UsageSample | undefined>
}

/** By the server, of which tests have many in one process, and by account: no more entries than there are accounts. */
const cached = new WeakMap<Deps['homes'], Map<AccountId, Cached>>()

/** The metrics of the account's apps, at most ten seconds old. */
export const readAccountMetrics = operation(
  { permission: 'metrics:read', input: z.object({}) },
  async (deps, caller): Promise<string> => {
    const entries = cached.get(deps.homes) ?? new Map<AccountId, Cached>()
    cached.set(deps.homes, entries)
    const entry = entries.get(caller.accountId)
    const now = deps.clock.now()
    if (entry !== undefined && entry.until > now) return entry.text
    const found = figuresOf(deps, caller, now, entry?.sample)
    const text = found.then(async ({ figures }) => (await account()).accountExposition(figures))
    const sample = found.then(
      (figures) => figures.sample,
      () => undefined, // said by `text`
    )
    entries.set(caller.accountId, { until: now + cachedMs, text, sample })
    text.catch(() => entries.delete(caller.accountId))
    return text
  },
)

async function figuresOf(deps: Deps, { accountId }: Caller, now: Moment, earlier: Cached['sample'] | undefined) {
  const listing = deps.runners.listing(accountId, now - lastMinuteMs)
  const [runners, sample, before] = await Promise.all([listing, sampled(deps), earlier])
  const own = [...deps.apps.all()]
    .filter(({ active }) => active?.spec.run !== 'host')
    .map(({ app }) => app)
    .filter((app) => app.accountId === accountId)
  const byApp = Map.groupBy(runners, ({ appId }) => appId)
  const figures = own.map((app): AppFigures => {
    const home = deps.homes.of(app.id)
    const ofApp = byApp.get(app.id) ?? []
    const ids = ofApp.map(({ id }) => id)
    return {
      app,
      queued: home.queueLength,
      running: home.demand().running,
      traffic: home.traffic.counts(),
      runners: ofApp,
      usage: usageOf(ids, before, sample),
    }
  })
  const theirs = new Set(runners.map(({ id }) => id))
  return { figures, sample: { at: sample.at, of: new Map([...sample.of].filter(([id]) => theirs.has(id))) } }
}

async function sampled({ runners, clock }: Deps): Promise<UsageSample> {
  return { of: await runners.usage(), at: clock.now() }
}

/** The metrics of the whole server, for those who look after it: keys of the first account. */
export const readServerMetrics = operation(
  { permission: 'metrics:read', input: z.object({}) },
  async (deps, caller): Promise<string> => {
    if (caller.operator !== true) {
      const message = `Insufficient permissions: metrics of the whole server are for keys of the first account; those of your own apps are at /v1/serverless/metrics`
      throw new CarrickError('forbidden', message)
    }
    const accounts = await deps.store.read(allAccounts())
    const runners = await Promise.all(accounts.map(({ id }) => deps.runners.listing(id)))
    return (await server()).serverExposition(deps, runners.flat())
  },
)
