/**
 * Keeps what was used in sums by the hour. Runners and requests of the queue are counted from their rows, each once,
 * before those go; direct calls and who shared which runner are kept in memory, and go to disk with commits of others.
 */
import { callerPays, nothing, partsOfRunner, summed, type UsagePart } from '../../domain/usage.ts'
import type { Cell, UsageMeter } from '../../home/usage-meter.ts'
import type { Clock } from '../../kit/clock.ts'
import type { Logger } from '../../kit/logger.ts'
import { startLoop } from '../../kit/loop.ts'
import { patiently } from '../../store/sql.ts'
import type { Store } from '../../store/store.ts'
import * as rows from '../../store/usage.ts'
import { countRequests, openRequests, requestsBehind } from '../../store/usage-requests.ts'

export interface KeeperParts {
  readonly store: Store
  readonly meter: UsageMeter
  readonly clock: Clock
}

export interface UsageKeeper {
  /** Resolves when all that was used before the call is in the sums, except by runners that live. */
  settle(): Promise<void>
  /** The same, and nothing else is counted until `read` has ended. */
  whileSettled<T>(read: () => Promise<T>): Promise<T>
  /** Puts what is in memory on disk, and stops. */
  stop(): Promise<void>
}

/** How long what is in memory waits for somebody else's commit: looked at so often, then patient for so long. */
const everyMs = 20_000
const patienceMs = 25_000
/** How often rows are counted though nobody asks: so long after the last time, few are left for who does. */
const countEveryMs = 600_000
/** How much goes in one commit. */
const stepSize = 500

/** Keeps usage when it is asked to, and never by itself. */
export function createUsageKeeper(parts: KeeperParts): Pick<UsageKeeper, 'settle' | 'whileSettled'> {
  const keeper = new Keeper(parts)
  return {
    settle: () => keeper.whileSettled(async () => {}),
    whileSettled: (read) => keeper.whileSettled(read),
  }
}

/** Keeps usage from now on. */
export function startUsageKeeper(parts: KeeperParts & { readonly log: Logger }): UsageKeeper {
  const keeper = new Keeper(parts)
  const loop = startLoop((signal) => keeper.pass(signal), { name: 'usage', everyMs, log: parts.log })
  return {
    settle: () => keeper.whileSettled(async () => {}),
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

  /** Hands over what is in memory, for the next commit that goes anyway. */
  async pass(signal: AbortSignal): Promise<void> {
    const { store, clock, meter } = this.#parts
    const cells = meter.take()
    if (cells.length > 0 || (await store.read(rows.areThereRunners())))
      this.#patient = this.#write(cells, (write) => patiently(write, patienceMs)).catch(() => {})
    if (clock.now() < this.#countAt || signal.aborted) return
    await this.#alone(() => this.#count())
    this.#countAt = clock.now() + countEveryMs
  }

  whileSettled<T>(read: () => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      await this.store()
      await this.#count()
      return read()
    })
  }

  /** Puts what is in memory on disk now. */
  async store(): Promise<void> {
    await this.#write(this.#parts.meter.take(), (write) => write)
    await this.#patient
  }

  /** One after the other: what one has read is counted before the next one reads. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => {})
    return mine
  }

  async #write(
    cells: readonly Cell[],
    how: (write: ReturnType<typeof rows.storeUsage>) => typeof write,
  ): Promise<void> {
    const { store, clock, meter } = this.#parts
    try {
      await store.commit(how(rows.storeUsage(await this.#partsOf(cells), clock.now())))
    } catch (error) {
      meter.putBack(cells)
      throw error
    }
  }

  /** What cells add to the sums. Those of runners that are not on record, as workflows have, add nothing. */
  async #partsOf(cells: readonly Cell[]): Promise<readonly UsagePart[]> {
    const { store } = this.#parts
    const runners = await byId(
      cells.map(({ runnerId }) => runnerId),
      (ids) => store.read(rows.runnersById(ids)),
    )
    const keys = await byId(
      cells.flatMap(({ keyId }) => keyId ?? []),
      (ids) => store.read(rows.ownersOfKeys(ids)),
    )
    return summed(
      cells.flatMap((cell) => {
        const runner = runners.get(cell.runnerId)
        return runner === undefined ? [] : partsOfCell(cell, runner, keys.get(cell.keyId ?? ''))
      }),
    )
  }

  /** Counts rows until none is left that was there at the beginning. */
  async #count(): Promise<void> {
    for (let isMore = true; isMore;) isMore = await this.#countRunners()
    for (let isMore = true; isMore;) isMore = await this.#countRequests()
  }

  /** Counts a step of the runners that have ended. Answers whether there may be more. */
  async #countRunners(): Promise<boolean> {
    const { store, clock } = this.#parts
    const ended = await store.read(rows.endedUncounted(stepSize))
    const ids = ended.map(({ id }) => id)
    const parts = summed(ended.flatMap((runner) => partsOfRunner(runner, clock.now())))
    if (ids.length > 0) await store.commit(rows.countRunners(ids, parts))
    return ids.length === stepSize
  }

  /** Counts a step of requests. Answers whether there may be more. */
  async #countRequests(): Promise<boolean> {
    const { store } = this.#parts
    const seq = await store.read(rows.countedSeq())
    const [open, behind] = await Promise.all([
      store.read(openRequests(stepSize)),
      store.read(requestsBehind(seq, stepSize)),
    ])
    if (open.length === 0 && behind.length === 0) return false
    const parts = summed([...open, ...behind].flatMap(({ part }) => part ?? []))
    await store.commit(countRequests({ open, behind }, parts))
    return open.length === stepSize || behind.length === stepSize
  }
}

/** A caller's share of a runner is taken off its owner's. */
function partsOfCell(cell: Cell, runner: rows.CountedRunner, key: rows.KeyOwner | undefined): readonly UsagePart[] {
  const { hour, isShared, requests, units } = cell
  const { appId, accountId, revisionId, machineType, gpuCount } = runner
  const of = { appId, revisionId, machineType, hour }
  const callerId = key?.accountId ?? ''
  const runnerMs = callerPays(callerId, { accountId, isShared }) ? Math.floor(cell.ms) : 0
  const gpuMs = runnerMs * gpuCount
  return [
    { ...of, callerId, keyId: key === undefined || key.isRunners ? '' : key.id, runnerMs, gpuMs, requests, units },
    { ...of, ...nothing, callerId: accountId, keyId: '', runnerMs: -runnerMs, gpuMs: -gpuMs },
  ]
}

async function byId<Id extends string, Row extends { readonly id: Id }>(
  ids: readonly Id[],
  read: (ids: readonly Id[]) => Promise<readonly Row[]>,
): Promise<ReadonlyMap<Id, Row>> {
  const all = [...new Set(ids)]
  const found = new Map<Id, Row>()
  for (let at = 0; at < all.length; at += stepSize)
    for (const row of await read(all.slice(at, at + stepSize))) found.set(row.id, row)
  return found
}
