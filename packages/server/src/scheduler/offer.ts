import type { Serving } from '../domain/runner.ts'
import type { AppWorld, Loaded } from './plan.ts'

/**
 * The runners that may get requests: the active revision's, and those that a handover keeps. Never so many that,
 * together with what still finishes elsewhere, more than `max_concurrency` runners work at a time.
 */
export function offered({ app, active, runners, handover }: AppWorld): readonly Serving[] {
  if (app === undefined) return []
  const busy = runners.filter(({ inFlight }) => inFlight > 0)
  const eligible = runners
    .filter((each): each is Loaded<Serving> => each.runner.state === 'serving')
    .filter(({ runner }) => runner.revisionId === active?.id || handover?.runners.has(runner.id))
    .toSorted((one, other) => rank(one, active?.id) - rank(other, active?.id))
  const working = eligible.filter(({ inFlight }) => inFlight > 0)
  const free = eligible.filter(({ inFlight }) => inFlight === 0)
  const cap = app.scale.max_concurrency
  const elsewhere = busy.length - working.length
  return [...working.slice(0, atLeastZero(cap - elsewhere)), ...free.slice(0, atLeastZero(cap - busy.length))].map(
    ({ runner }) => runner,
  )
}

/** The new revision before the old. */
const rank = ({ runner }: Loaded, active: string | undefined) => (runner.revisionId === active ? 0 : 1)

const atLeastZero = (amount: number) => Math.max(0, amount)
