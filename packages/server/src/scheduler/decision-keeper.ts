import type { Logger } from '../kit/logger.ts'
import { startLoop } from '../kit/loop.ts'
import { keepDecisions } from '../store/decisions.ts'
import { patiently } from '../store/sql.ts'
import type { Store } from '../store/store.ts'
import type { DecisionLog } from './decisions.ts'

/** How long a decision is in memory alone: looked at so often, then patient for so long. */
const everyMs = 20_000
const patienceMs = 10_000
/** Of one write; the others follow. */
const mostAtOnce = 1_000

/** Puts decisions on disk, along with what others write: they are for people who ask later, so losing the last ones is no harm. */
export class DecisionKeeper {
  readonly #log: DecisionLog
  readonly #store: Store
  readonly #loop: ReturnType<typeof startLoop>
  readonly #logger: Logger

  constructor({
    decisions,
    store,
    log,
  }: {
    readonly decisions: DecisionLog
    readonly store: Store
    readonly log: Logger
  }) {
    this.#log = decisions
    this.#store = store
    this.#logger = log
    this.#loop = startLoop(() => this.#keep(patienceMs), { name: 'decisions', everyMs, log })
  }

  /** Keeps what is not kept yet, and stops. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    await this.#keep(0).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the last decisions about runners could not be kept')
    })
  }

  async #keep(patience: number): Promise<void> {
    const decided = this.#log.take(mostAtOnce)
    if (decided.length === 0) return
    try {
      const kept = keepDecisions(decided)
      await this.#store.commit(patience === 0 ? kept : patiently(kept, patience))
    } catch (error) {
      this.#log.putBack(decided)
      throw error
    }
  }
}
