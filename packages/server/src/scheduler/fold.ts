import type { RunnerId } from '../domain/ids.ts'
import { observe, pulled, type LiveRunner, type Sighting } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Draft } from './draft.ts'
import type { Fleet } from './fleet.ts'
import type { Pulls } from './pulls.ts'
import type { Look } from './sightings.ts'

/** What is known of the backend: of all runners or of some, and the starts that it refused. */
export interface Seen {
  readonly look: Look | undefined
  readonly refused: ReadonlySet<RunnerId>
  readonly pulls: Pulls
}

const neverStarted: Sighting = { kind: 'exited', exit: { code: null, signal: null } }

/** Puts into the draft what became of these runners. Of those that nobody looked at only the time in setup counts. */
export function fold(runners: Iterable<LiveRunner>, { look, refused, pulls }: Seen, draft: Draft, now: Moment): void {
  for (const runner of runners) {
    if (runner.state === 'pending') continue
    const seen = refused.has(runner.id) ? neverStarted : sightingIn(look, runner, pulls)
    const begun = runner.state === 'setup' && pulls.ended.has(runner.id) ? pulled(runner, now) : runner
    if (seen !== undefined) draft.put(observe(begun, seen, now))
  }
}

function sightingIn(look: Look | undefined, { id, state }: LiveRunner, pulls: Pulls): Sighting | undefined {
  const seen = look?.listed.get(id)
  if (seen !== undefined) return seen
  if (pulls.isBuilding(id)) return { kind: 'pulling' }
  if (look?.isWhole) return { kind: 'unlisted' }
  return state === 'setup' ? { kind: pulls.has(id) ? 'pulling' : 'starting' } : undefined
}

/** Runners that the backend has and nobody knows. */
export function strangers(fleet: Fleet, listed: Look['listed']): readonly RunnerId[] {
  return Array.from(listed, ([id, { kind }]) => (kind !== 'unlisted' && fleet.get(id) === undefined ? [id] : [])).flat()
}
