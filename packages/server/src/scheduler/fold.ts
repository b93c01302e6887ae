import type { RunnerId } from '../domain/ids.ts'
import { observe, type Sighting } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Draft } from './draft.ts'
import type { Fleet } from './fleet.ts'

/** What is known of the backend: a whole look, or only the starts that it refused. */
export interface Seen {
  readonly listed?: ReadonlyMap<RunnerId, Sighting> | undefined
  readonly refused: ReadonlySet<RunnerId>
}

const neverStarted: Sighting = { kind: 'exited', exit: { code: null, signal: null } }

/** Puts into the draft what became of the runners. Without a look only the time in setup counts. */
export function fold(fleet: Fleet, { listed, refused }: Seen, draft: Draft, now: Moment): void {
  for (const runner of fleet.all()) {
    if (runner.state === 'pending') continue
    if (refused.has(runner.id)) draft.put(observe(runner, neverStarted, now))
    else if (listed) draft.put(observe(runner, listed.get(runner.id) ?? { kind: 'unlisted' }, now))
    else if (runner.state === 'setup') draft.put(observe(runner, { kind: 'starting' }, now))
  }
}

/** Runners that the backend has and nobody knows. */
export function strangers(fleet: Fleet, listed: Seen['listed']): readonly RunnerId[] {
  return [...(listed?.keys() ?? [])].filter((id) => fleet.get(id) === undefined)
}
