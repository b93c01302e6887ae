import { CarrickError } from '../domain/errors.ts'
import type { RunnerId } from '../domain/ids.ts'
import { drain, killBy, terminate, type StopReason } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Draft } from './draft.ts'

/** What somebody wants of one runner: to let it finish, to have it replaced first, to end it soon or now. */
export type Wish =
  | { readonly kind: 'stop' | 'replace' }
  | { readonly kind: 'end'; readonly reason: StopReason; readonly withinMs: number }

export interface Ask {
  readonly id: RunnerId
  readonly wish: Wish
}

/** Puts a wish into the draft. Throws `runner_not_found` for one that is not there. */
export function grant({ id, wish }: Ask, draft: Draft, now: Moment): void {
  const runner = draft.get(id)
  if (runner === undefined) throw unknownRunner(id)
  const reason = wish.kind === 'end' ? wish.reason : 'stopped'
  if (runner.state === 'pending' || runner.state === 'setup') return draft.put(terminate(runner, reason, now))
  const draining = runner.state === 'serving' ? drain(runner, reason, now) : runner
  draft.put(wish.kind === 'end' ? killBy(draining, now + wish.withinMs) : draining)
}

export const unknownRunner = (id: RunnerId) =>
  new CarrickError('runner_not_found', `Runner "${id}" not found: \`fal runners list\` shows those that there are`)
