import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { RevisionId, RunnerId } from '../../domain/ids.ts'
import type { Moment } from '../../kit/clock.ts'
import type { LogLine } from '../../logs/log-store.ts'
import type { Deps } from '../deps.ts'
import type { Attention } from '../operation.ts'

/** A rolling deploy, as it was when it began. */
interface Rollout {
  readonly app: Pick<App, 'id' | 'accountId' | 'name' | 'revisionId'>
  readonly revisionId: RevisionId
}

/** How long what a starting runner says may wait to be passed on. */
const listenEveryMs = 250

/**
 * Waits until calls go to the new revision, and passes on what its runners say meanwhile. Throws `deploy_failed` with
 * the reason when it never became healthy, `superseded` when a newer deploy took its place. The rollout itself does
 * not depend on anybody waiting for it.
 */
export async function rolledOut(deps: Deps, rollout: Rollout, { say, signal }: Attention): Promise<void> {
  const words = newWords(deps, rollout)
  while (!signal.aborted) {
    await deps.apps.refresh()
    const state = stateOf(deps, rollout)
    for (const line of await words()) say(line)
    if (state === 'switched') return
    if (state === 'over') throw whyOver(deps, rollout)
    if (deps.isDraining()) throw goesOnLater(rollout)
    await anyChange(deps)
  }
}

function stateOf(deps: Deps, { app, revisionId }: Rollout): 'rolling' | 'switched' | 'over' {
  const now = deps.apps.byId(app.id)?.app
  if (now?.rollingRevisionId === revisionId) return 'rolling'
  return now?.revisionId === revisionId ? 'switched' : 'over'
}

function whyOver(deps: Deps, { app, revisionId }: Rollout): CarrickError {
  const failure = deps.runners.failureOf(revisionId)
  if (failure === undefined) {
    const why = deps.apps.byId(app.id)
      ? 'was superseded: a newer change of it came before it was healthy'
      : 'was given up: the app was deleted before it was healthy'
    return new CarrickError('superseded', `The deployment of "${app.name}" ${why}`)
  }
  const consequence =
    app.revisionId === undefined ? 'It was the first one, so there is no endpoint' : 'The old revision keeps serving'
  return new CarrickError('deploy_failed', `The deployment of "${app.name}" failed. ${consequence}.\n${failure}`)
}

function goesOnLater({ app, revisionId }: Rollout): CarrickError {
  const message = `This server is shutting down. Revision ${revisionId} of "${app.name}" is stored, and its deployment goes on when the server is back`
  return new CarrickError('draining', message)
}

/** Reads, each time it is called, what the revision's runners have said since the last time. */
function newWords(deps: Deps, { app, revisionId }: Rollout): () => Promise<readonly LogLine[]> {
  const since: Moment = deps.clock.now()
  const last = new Map<RunnerId, LogLine | undefined>()
  return async () => {
    const runners = await deps.runners.listing(app.accountId, since)
    return runners
      .filter((runner) => runner.revisionId === revisionId)
      .flatMap(({ id }) => {
        const tail = deps.logs.tail(id, 1_000)
        const heard = last.get(id)
        const lines = heard === undefined ? tail : tail.slice(tail.lastIndexOf(heard) + 1)
        last.set(id, tail.at(-1) ?? heard)
        return lines
      })
  }
}

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
