import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { wireName } from '../../domain/names.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import { countDueWebhooks } from '../../store/webhooks.ts'
import type { Deps } from '../deps.ts'

/** The metrics of the whole server, beside those that prom-client has of every Node process. */
export const serverMetrics = {
  carrick_requests_total: { help: 'Calls that ended since the start, by outcome', labels: ['outcome'] },
  carrick_queue_length: { help: 'Requests that wait in the queue', labels: ['application'] },
  carrick_runners: { help: 'Runners that have not ended, by state', labels: ['state'] },
  carrick_apps: { help: 'Apps', labels: [] },
  carrick_store_commits_total: { help: 'Commits that reached the disk since the start', labels: [] },
  carrick_store_writes_total: {
    help: 'Writes in those commits: by commits_total it is the size of a group',
    labels: [],
  },
  carrick_store_commit_seconds_total: {
    help: 'How long those commits took: by commits_total it is the time of one',
    labels: [],
  },
  carrick_swept_total: { help: 'What was taken away since the start because it is kept no longer', labels: ['kind'] },
  carrick_http_rejected_total: {
    help: 'Requests and connections turned away before anything looked at what was asked, by reason',
    labels: ['reason'],
  },
  carrick_log_lines_dropped_total: {
    help: 'Log lines left out since the start, because there were too many',
    labels: [],
  },
  carrick_runner_freezes_total: { help: 'Runners that were frozen since the start', labels: [] },
  carrick_runner_thaws_total: { help: 'Frozen runners that went on since the start', labels: [] },
  carrick_runner_thaw_seconds_total: {
    help: 'From the moment that something was to be sent to them: by thaws_total it is the time of one',
    labels: [],
  },
  carrick_runner_failed_thaws_total: { help: 'Frozen runners that could not go on, and were ended', labels: [] },
  carrick_webhook_deliveries_total: {
    help: 'Webhook deliveries that ended since the start, by outcome',
    labels: ['outcome'],
  },
  carrick_webhooks_due: { help: 'Webhooks that are being delivered or will be tried again', labels: [] },
} as const satisfies Readonly<Record<string, { readonly help: string; readonly labels: readonly string[] }>>

type Name = keyof typeof serverMetrics

let node: Registry | undefined

/** What Node knows of its process. It watches the event loop from the first time that somebody asks. */
function nodeRegistry(): Registry {
  if (node !== undefined) return node
  node = new Registry()
  collectDefaultMetrics({ register: node })
  return node
}

/** The metrics as Prometheus reads them. Everything is read off what is there anyway. */
export async function serverExposition(
  {
    homes,
    apps,
    logs,
    commits,
    swept,
    rejected,
    webhooks,
    store,
  }: Pick<Deps, 'homes' | 'apps' | 'logs' | 'commits' | 'swept' | 'rejected' | 'webhooks' | 'store'>,
  runners: readonly RunnerView[],
): Promise<string> {
  const registry = new Registry()
  const gauge = (name: Name) => new Gauge({ name, ...shape(name), registers: [registry] })
  const counter = (name: Name) => new Counter({ name, ...shape(name), registers: [registry] })

  const { success, user_error, error } = homes.totals
  const requests = counter('carrick_requests_total')
  for (const [outcome, count] of Object.entries({ success, user_error, error })) requests.inc({ outcome }, count)

  const known = [...apps.all()].filter(({ active }) => active?.spec.run !== 'host')
  gauge('carrick_apps').set(known.length)
  const queues = gauge('carrick_queue_length')
  for (const { app } of known) queues.set({ application: wireName(app) }, homes.of(app.id).queueLength)
  const states = gauge('carrick_runners')
  for (const { state } of runners) states.inc({ state })

  const stored = commits()
  counter('carrick_store_commits_total').inc(stored.commits)
  counter('carrick_store_writes_total').inc(stored.writes)
  counter('carrick_store_commit_seconds_total').inc(stored.milliseconds / 1_000)
  const gone = counter('carrick_swept_total')
  for (const [kind, count] of Object.entries(swept())) gone.inc({ kind }, count)
  const turnedAway = counter('carrick_http_rejected_total')
  for (const [reason, count] of Object.entries(rejected)) turnedAway.inc({ reason }, count)
  counter('carrick_log_lines_dropped_total').inc(logs.dropped)

  const { freezes, thaws, thawMs, failedThaws } = homes.freezes
  counter('carrick_runner_freezes_total').inc(freezes)
  counter('carrick_runner_thaws_total').inc(thaws)
  counter('carrick_runner_thaw_seconds_total').inc(thawMs / 1_000)
  counter('carrick_runner_failed_thaws_total').inc(failedThaws)

  const deliveries = counter('carrick_webhook_deliveries_total')
  for (const [outcome, count] of Object.entries(webhooks.counts)) deliveries.inc({ outcome }, count)
  gauge('carrick_webhooks_due').set((await store.read(countDueWebhooks())) ?? 0)
  return Registry.merge([nodeRegistry(), registry]).metrics()
}

function shape(name: Name) {
  const { help, labels } = serverMetrics[name]
  return { help, labelNames: [...labels] }
}
