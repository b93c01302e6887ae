/**
 * Takes away what is kept no longer: requests that ended long ago with all that hangs on them, payloads that nobody wants
 * kept, the rows of runners of the past. `domain/retention.ts` says what and when; here a few rows go at a time, each step
 * a read beside the writer and a write that shares its commit with whoever else waits. One per data folder.
 */
import { setImmediate as turn, setTimeout as timer } from 'node:timers/promises'
import { choresAt, keptMs, lookAgainAfter, restAfter, type Chore } from '../../domain/retention.ts'
import type { Apps } from '../../home/apps.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop } from '../../kit/loop.ts'
import * as rows from '../../store/retention.ts'
import { patiently } from '../../store/sql.ts'
import type { Store, Write } from '../../store/store.ts'

export interface SweepParts {
  readonly store: Store
  readonly apps: Pick<Apps, 'all'>
  readonly clock: Clock
  readonly log: Logger
  readonly retentionDays: number
  /** Puts what rows say into sums that stay: called after it is known which are to go, and before they do. */
  readonly count?: () => Promise<void>
}

/** Rows that went since the start. What hangs on a request is not counted. */
export type Swept = Readonly<Record<Chore['kind'], number>>

export interface Retention {
  swept(): Swept
  stop(): Promise<void>
}

/** Whether it is time to look is asked so often. */
const everyMs = 1_000
/** So that every app has its turn, and what is overdue is worked out anew. */
const mostSteps = 50

/** Sweeps from now on. An app whose settings change is looked at anew at once. */
export function startRetention(parts: SweepParts): Retention {
  const sweep = new Sweep(parts)
  const loop = startLoop((signal) => sweep.pass(signal), { name: 'retention', everyMs, log: parts.log })
  const forget = parts.store.onChange('app', () => (sweep.lookSoon(), loop.wake()))
  return { swept: () => sweep.swept, stop: () => (forget(), loop.stop()) }
}

export class Sweep {
  readonly #parts: SweepParts
  readonly #swept: Record<Chore['kind'], number> = { requests: 0, payloads: 0, runners: 0 }
  #nextLook = 0
  /** How often it was asked to look soon. */
  #asked = 0

  constructor(parts: SweepParts) {
    this.#parts = parts
  }

  get swept(): Swept {
    return { ...this.#swept }
  }

  lookSoon(): void {
    this.#nextLook = 0
    this.#asked += 1
  }

  /** Looks, if it is time, and goes on until nothing is left that is due. */
  async pass(signal: AbortSignal): Promise<void> {
    const { clock, apps, retentionDays } = this.#parts
    if (clock.now() < this.#nextLook) return
    const asked = this.#asked
    while (!signal.aborted && (await this.#look(signal)));
    const own = Array.from(apps.all(), ({ app }) => keptMs(app.queue.retention_days ?? retentionDays))
    // What was changed meanwhile may have come too late for this pass.
    if (asked === this.#asked) this.#nextLook = clock.now() + lookAgainAfter([keptMs(retentionDays), ...own])
  }

  /** Whether there is more to do. */
  async #look(signal: AbortSignal): Promise<boolean> {
    const { store, clock, retentionDays } = this.#parts
    const ended = await store.read(rows.endedRequests())
    let more = false
    for (const chore of choresAt(clock.now(), ended, { requestsMs: keptMs(retentionDays) }))
      more = (await this.#work(chore, signal)) || more
    return more
  }

  async #work(chore: Chore, signal: AbortSignal): Promise<boolean> {
    for (let steps = 0; steps < mostSteps && !signal.aborted; steps += 1) {
      const began = performance.now()
      const gone = await this.#step(chore)
      this.#swept[chore.kind] += gone
      if (gone < rows.stepSize) return false
      await rest(restAfter({ tookMs: performance.now() - began, late: chore.late }), signal)
    }
    return true
  }

  /** Reads which rows they are and takes them away. Answers how many. */
  async #step(chore: Chore): Promise<number> {
    const { store } = this.#parts
    if (chore.kind === 'requests') {
      const ids = await store.read(rows.oldRequests(chore.appId, chore.before))
      return await this.#forget(ids, rows.forgetRequests)
    }
    if (chore.kind === 'payloads') {
      const requests = await store.read(rows.unkeptRequests(chore.before))
      return await this.#forget(requests, rows.dropPayloads)
    }
    const runners = await store.read(rows.oldRunners(chore.before))
    return await this.#forget(runners, rows.forgetRunners)
  }

  async #forget<T>(found: readonly T[], forget: (found: readonly T[]) => Write<number>): Promise<number> {
    if (found.length === 0) return 0
    await this.#parts.count?.()
    return this.#parts.store.commit(patiently(forget(found)))
  }
}

/** Ends early when the server does. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) await turn()
  else await timer(ms, undefined, { signal }).catch(() => {})
}
