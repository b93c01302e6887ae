import { setTimeout as rest } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import { drain, terminate, type LiveRunner, type Runner, type Sighting } from '../domain/runner.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { Draft } from './draft.ts'
import type { Fleet } from './fleet.ts'
import { fold } from './fold.ts'
import type { Hands } from './hands.ts'

export interface ShutdownParts {
  readonly fleet: Fleet
  readonly hands: Hands
  readonly backend: RunnerBackend
  readonly clock: Clock
  readonly log: Logger
}

const lookEveryMs = 20
const killPatienceMs = 10_000

/**
 * Asks every runner to finish; what still runs after `graceMs` is killed. All that can be is on record when it returns:
 * what cannot, as on a full disk, is settled at the next start, and nobody waits for it.
 */
export async function endAllRunners(parts: ShutdownParts, graceMs: number): Promise<void> {
  const { fleet, hands, clock, log } = parts
  const draft = new Draft(fleet)
  for (const runner of fleet.all()) draft.put(sentAway(runner, clock))
  await store(draft, parts)
  await allGone(parts, graceMs)
  for (const { id } of fleet.all()) hands.kill(id)
  const failure = await allGone(parts, killPatienceMs)
  await hands.idle()
  if (failure !== undefined) log.error({ err: failure }, 'the end of some runners could not be put on record')
}

function sentAway(runner: LiveRunner, clock: Clock): Runner {
  if (runner.state === 'draining') return runner
  return runner.state === 'serving'
    ? drain(runner, 'shutdown', clock.now())
    : terminate(runner, 'shutdown', clock.now())
}

/** Watches until no runner is left, or the time is over. Answers why the end of some is not on record. */
async function allGone(parts: ShutdownParts, withinMs: number): Promise<unknown> {
  const { fleet, backend, clock } = parts
  const over = AbortSignal.timeout(withinMs)
  let failure: unknown
  while (fleet.size > 0 && !over.aborted) {
    const draft = new Draft(fleet)
    const listed = await backend.list(AbortSignal.timeout(killPatienceMs))
    fold(fleet.all(), { look: { listed, isWhole: true }, refused: new Set() }, draft, clock.now())
    failure = await store(draft, parts)
    if (fleet.all().every(({ id }) => isGone(listed.get(id)))) break
    await rest(lookEveryMs, undefined, { signal: over }).catch(() => {}) // the loop sees that it is over
  }
  return failure
}

const isGone = (seen: Sighting = { kind: 'unlisted' }): boolean => seen.kind === 'unlisted' || seen.kind === 'exited'

/** Acts on the changes, stored or not: the runners end all the same. Answers why some could not be stored. */
async function store(draft: Draft, { fleet, hands, clock }: ShutdownParts): Promise<unknown> {
  const changes = draft.changes()
  const { failure } = await fleet.commit(changes, clock.now())
  for (const change of changes) hands.take(change)
  return failure
}
