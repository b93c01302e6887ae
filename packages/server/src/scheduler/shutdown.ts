import { setTimeout as rest } from 'node:timers/promises'
import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import { bound, drain, terminate, type LiveRunner, type Runner, type Sighting } from '../domain/runner.ts'
import type { Clock } from '../kit/clock.ts'
import type { Logger } from '../kit/logger.ts'
import { Draft } from './draft.ts'
import type { Fleet } from './fleet.ts'
import { fold } from './fold.ts'
import type { Hands } from './hands.ts'
import { Pulls } from './pulls.ts'

export interface ShutdownParts {
  readonly fleet: Fleet
  readonly hands: Hands
  readonly backend: RunnerBackend
  readonly clock: Clock
  readonly log: Logger
  readonly inFlightOf: (runner: LiveRunner) => number
  /** What it has for its teardown. */
  readonly graceMsOf: (runner: LiveRunner) => number
}

const lookEveryMs = 20
const killPatienceMs = 10_000
/** Requests that were cut off when their time was over are gone by then. */
const marginMs = 1_000

/**
 * Asks every runner to finish. Its requests have `graceMs`, its teardown has its own grace after the last of them, and no
 * more than `graceMs` either; what still runs then is killed. All that can be is on record when it returns: what cannot,
 * as on a full disk, is settled at the next start, and nobody waits for it.
 */
export async function endAllRunners(parts: ShutdownParts, graceMs: number): Promise<void> {
  const { fleet, hands, clock, log } = parts
  const draft = new Draft(fleet)
  for (const runner of fleet.all()) draft.put(sentAway(runner, clock))
  await store(draft, parts)
  const longestMs = Math.max(0, ...fleet.all().map((runner) => Math.min(parts.graceMsOf(runner), graceMs)))
  await allGone(parts, graceMs, graceMs === 0 ? 0 : graceMs + marginMs + longestMs)
  for (const { id } of fleet.all()) hands.kill(id)
  const failure = await allGone(parts, graceMs, killPatienceMs)
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
async function allGone(parts: ShutdownParts, graceMs: number, withinMs: number): Promise<unknown> {
  const { fleet, clock } = parts
  const over = AbortSignal.timeout(withinMs)
  let failure: unknown
  while (fleet.size > 0 && !over.aborted) {
    const draft = new Draft(fleet)
    const listed = await listedBy(parts)
    if (listed !== undefined) {
      const seen = { look: { listed, isWhole: true }, refused: new Set<RunnerId>(), pulls: new Pulls() }
      fold(fleet.all(), seen, draft, clock.now())
    }
    for (const { id } of fleet.all()) boundOne(draft.get(id), graceMs, draft, parts)
    failure = await store(draft, parts)
    killOverdue(parts)
    if (listed !== undefined && fleet.all().every(({ id }) => isGone(listed.get(id)))) break
    await rest(lookEveryMs, undefined, { signal: over }).catch(() => {}) // the loop sees that it is over
  }
  return failure
}

/** What a backend says that may be away for a moment. */
async function listedBy({ backend, log }: ShutdownParts): Promise<ReadonlyMap<RunnerId, Sighting> | undefined> {
  try {
    return await backend.list(AbortSignal.timeout(killPatienceMs))
  } catch (error) {
    log.warn({ err: error }, 'it could not be seen which runners are left; it is looked again')
    return undefined
  }
}

/** Its grace begins when nothing is in flight, as by every other end. */
function boundOne(runner: LiveRunner | undefined, graceMs: number, draft: Draft, parts: ShutdownParts): void {
  if (runner?.state !== 'draining') return
  const limits = {
    inFlight: parts.inFlightOf(runner),
    graceMs: Math.min(parts.graceMsOf(runner), graceMs),
    requestTimeoutMs: graceMs + marginMs,
  }
  draft.put(bound(runner, limits, parts.clock.now()))
}

function killOverdue({ fleet, hands, clock }: ShutdownParts): void {
  for (const runner of fleet.all()) {
    const isOverdue = runner.state === 'draining' && (runner.killAt ?? Infinity) <= clock.now()
    if (isOverdue && hands.isFree(runner.id)) hands.kill(runner.id)
  }
}

const isGone = (seen: Sighting = { kind: 'unlisted' }): boolean => seen.kind === 'unlisted' || seen.kind === 'exited'

/** Acts on the changes, stored or not: the runners end all the same. Answers why some could not be stored. */
async function store(draft: Draft, { fleet, hands, clock }: ShutdownParts): Promise<unknown> {
  const changes = draft.changes()
  const { failure } = await fleet.commit(changes, clock.now())
  for (const change of changes) hands.take(change)
  return failure
}
