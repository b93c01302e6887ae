/**
 * Keeps what was used in sums by the hour. Runners and requests of the queue are counted from their rows, each once,
 * before those go; direct calls and who shared which runner are kept in memory, and go to disk with commits of others.
 */
import type { UsageMeter } from '../../home/usage-meter.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop } from '../../kit/loop.ts'
import { patiently } from '../../store/sql.ts'
import type { Store, Write } from '../../store/store.ts'
import { areThereRunners, storeUsage } from '../../store/usage.ts'
import { partsOfCells } from './cells.ts'
import { countRows } from './count.ts'

export interface KeeperParts {
  readonly store: Store
  readonly meter: UsageMeter
  readonly clock: Clock
}

export interface UsageKeeper {
  /** Resolves when all rows are counted that had ended before the call. */
  count(): Promise<void>
  /**
   * Reads when all that was used before is in the sums, except by runners that live. Nothing is counted until `read` has
   * ended.
   */
  whileSettled<T>(read: () => Promise<T>): Promise<T>
  /** Puts what is in memory on disk, and stops. */
  stop(): Promise<void>
}

/** How long what is in memory waits for somebody else's commit: looked at so often, then patient for so long. */
const everyMs = 20_000
const patienceMs = 25_000
/** How often rows are counted though nobody asks: so long after the last time, few are left for who does. */
const countEveryMs = 600_000

/** Keeps usage when it is asked to, and never by itself. */
export function createUsageKeeper(parts: KeeperParts): Pick<UsageKeeper, 'count' | 'whileSettled'> {
  const keeper = new Keeper(parts)
  return {
    count: () => keeper.count(),
    whileSettled: (read) => keeper.whileSettled(read),
  }
}

/** Keeps usage from now on. */
export function startUsageKeeper(parts: KeeperParts & { readonly log: Logger }): UsageKeeper {
  const keeper = new Keeper(parts)
  const loop = startLoop((signal) => keeper.pass(signal), { name: 'usage', everyMs, log: parts.log })
  return {
    count: () => keeper.count(),
    whileSettled: (read) => keeper.whileSettled(read),
    stop: async () => {
      await loop.stop()
      await keeper
        .store()
        .catch((error: unknown) => parts.log.error({ err: error }, 'the last direct calls are in no sum of usage'))
    },
  }
}

class Keeper {
  readonly #parts: KeeperParts
  #turn: Promise<unknown> = Promise.resolve()
  #patient: Promise<void> = Promise.resolve()
  #countAt = 0

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** Hands over what is in memory, for the next commit that goes anyway; now and then counts what has rows. */
  async pass(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#parts
    await this.#alone(async () => {
      const { write, putBack } = await this.#taken()
      if (putBack === undefined && !(await store.read(areThereRunners()))) return
      this.#patient = store.commit(patiently(write, patienceMs)).catch(() => putBack?.())
    })
    if (clock.now() < this.#countAt || signal.aborted) return
    await this.count()
    this.#countAt = clock.now() + countEveryMs
  }

  whileSettled<T>(read: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      await this.#store()
      await countRows(this.#parts.store, this.#parts.clock.now())
      return read()
    })
  }

  count(): Promise<void> {
    return this.#alone(() => countRows(this.#parts.store, this.#parts.clock.now()))
  }

  /** Puts what is in memory on disk now. */
  store(): Promise<void> {
    return this.#alone(() => this.#store())
  }

  /** What was patient goes along. */
  async #store(): Promise<void> {
    const { write, putBack } = await this.#taken()
    try {
      await this.#parts.store.commit(write)
    } catch (error) {
      putBack?.()
      throw error
    }
    await this.#patient
  }

  /** One after the other: what one has read is counted before the next one reads. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  /** What was in memory, and the way back for it; there is none when it was nothing. */
  async #taken(): Promise<{ readonly write: Write<void>; readonly putBack?: () => void }> {
    const { store, clock, meter } = this.#parts
    const cells = meter.take()
    const putBack = () => meter.putBack(cells)
    try {
      const write = storeUsage(await partsOfCells(cells, store), clock.now())
      return cells.length === 0 ? { write } : { write, putBack }
    } catch (error) {
      putBack()
      throw error
    }
  }
}
