import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { RevisionId, RunnerId } from '../../domain/ids.ts'
import type { Moment } from '../../kit/clock.ts'
import type { LogLine } from '../../logs/log-store.ts'
import { failureSince } from '../../store/revisions.ts'
import type { Deps } from '../deps.ts'
import type { Attention, Progress } from '../operation.ts'
import { StartNews } from './start-news.ts'

/** A rolling deploy, as it was when it began. */
interface Rollout {
  readonly app: Pick<App, 'id' | 'accountId' | 'name' | 'revisionId'>
  readonly revisionId: RevisionId
}

/** How long what a starting runner says may wait to be passed on. */
const listenEveryMs = 250

/**
 * Waits until calls go to the new revision, and passes on what its runners say, and before that what they wait for, for as
 * long as somebody listens. Throws
 * `deploy_failed` with the reason when it never became healthy, `superseded` when a newer change took its place. The
 * rollout itself does not depend on anybody waiting for it, so neither does the record of how it ended.
 */
export async function rolledOut(deps: Deps, rollout: Rollout, { say, signal }: Attention): Promise<void> {
  const since = deps.clock.now()
  const words = newWords(deps, rollout, since)
  for (;;) {
    await deps.apps.refresh()
    const state = stateOf(deps, rollout)
    if (!signal.aborted) for (const line of await words()) say(line)
    if (state === 'switched') return
    if (state === 'over') throw await whyOver(deps, rollout, since)
    if (deps.isDraining()) throw goesOnLater(rollout)
    await anyChange(deps)
  }
}

function stateOf(deps: Deps, { app, revisionId }: Rollout): 'rolling' | 'switched' | 'over' {
  const now = deps.apps.byId(app.id)?.app
  if (now?.rollingRevisionId === revisionId) return 'rolling'
  return now?.revisionId === revisionId ? 'switched' : 'over'
}

async function whyOver(deps: Deps, { app, revisionId }: Rollout, since: Moment): Promise<CarrickError> {
  const failure = await deps.store.read(failureSince(revisionId, since))
  if (failure === undefined) return superseded(app.name, deps.apps.byId(app.id) === undefined ? 'deleted' : 'overtaken')
  const consequence =
    app.revisionId === undefined ? 'It was the first one, so there is no endpoint' : 'The old revision keeps serving'
  const what = `The deployment of revision ${revisionId} of "${app.name}" failed`
  return new CarrickError('deploy_failed', `${what}. ${consequence}.\n${failure}`, { about: { revision: revisionId } })
}

/** What whoever changes an app hears when it was changed, or taken away, by somebody who began later. */
export function superseded(name: string, how: 'overtaken' | 'too_late' | 'deleted'): CarrickError {
  const why = {
    overtaken: 'was superseded: a newer change of it came before it was healthy',
    too_late: 'was superseded: a change that began later was there first',
    deleted: 'was given up: the app was deleted before it was healthy',
  }[how]
  return new CarrickError('superseded', `The deployment of "${name}" ${why}`)
}

function goesOnLater({ app, revisionId }: Rollout): CarrickError {
  const message = `This server is shutting down. Revision ${revisionId} of "${app.name}" is stored, and its deployment goes on when the server is back`
  return new CarrickError('draining', message)
}

/** Reads, each time it is called, what the revision's runners have said, and what is to be said of them, since the last time. */
function newWords(deps: Deps, { app, revisionId }: Rollout, since: Moment): () => Promise<readonly Progress[]> {
  const news = new StartNews()
  const last = new Map<RunnerId, LogLine | undefined>()
  return async () => {
    const all = await deps.runners.listing(app.accountId, since)
    const runners = all.filter((runner) => runner.revisionId === revisionId)
    const about = news.of(runners).map((message) => bridgeWord(message, deps.clock.now()))
    const said = runners.flatMap(({ id }) => {
      const tail = deps.logs.tail(id, 1_000)
      const heard = last.get(id)
      const lines = heard === undefined ? tail : tail.slice(tail.lastIndexOf(heard) + 1)
      last.set(id, tail.at(-1) ?? heard)
      return lines
    })
    return [...about, ...said]
  }
}

const bridgeWord = (message: string, at: Moment): Progress => ({ at, source: 'bridge', level: 'info', message })

/** Resolves after the next change of an app, or soon. */
function anyChange({ store }: Pick<Deps, 'store'>): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer)
      stopListening()
      resolve()
    }
    const timer = setTimeout(over, listenEveryMs)
    const stopListening = store.onChange('app', over)
  })
}
