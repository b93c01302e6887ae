import { dataLimit, isFarOver, isOver, measureAt, type DataLimit, type Measured } from '../domain/data-quota.ts'
import { CarrickError } from '../domain/errors.ts'
import type { AccountId } from '../domain/ids.ts'
import type { Clock } from '../kit/clock.ts'
import { diskUsage } from '../kit/disk-usage.ts'

/** How much of `/data` an account has, as far as it is known. */
export interface DataUsage {
  /** Undefined before it was measured. */
  readonly used: number | undefined
  /** Undefined where there is none. */
  readonly limit: number | undefined
}

interface QuotaParts {
  readonly folderOf: (account: AccountId) => Promise<string>
  readonly clock: Clock
  /** Of accounts that have no value of their own; 0 is no limit. */
  readonly ofServer: number
  readonly everyMs: number
}

/** After a change through the API the next look comes sooner. */
const soonMs = 5_000
/** Of one look. */
const longestMs = 10 * 60_000

/**
 * How much each account may keep in `/data`, and about how much it does: measured now and then, because runners write there by
 * themselves, and counted in between where files come through the API. Without a limit nothing is measured.
 */
export class DataQuotas {
  readonly #parts: QuotaParts
  #own: ReadonlyMap<AccountId, number> = new Map()
  readonly #measured = new Map<AccountId, Measured>()
  /** What came through the API since then. */
  readonly #added = new Map<AccountId, number>()
  readonly #changed = new Set<AccountId>()
  readonly #measuring = new Map<AccountId, Promise<void>>()

  constructor(parts: QuotaParts) {
    this.#parts = parts
  }

  /** Accounts that have a value of their own. */
  setOwn(own: ReadonlyMap<AccountId, number>): void {
    this.#own = own
  }

  limitOf(account: AccountId): DataLimit {
    return dataLimit(this.#own.get(account), this.#parts.ofServer)
  }

  usageOf(account: AccountId): DataUsage {
    const limit = this.limitOf(account)
    return { used: this.#used(account), limit: limit === Infinity ? undefined : limit }
  }

  /** Bytes that it may still store. Throws `data_quota_exceeded` when there are none. */
  roomOf(account: AccountId): number {
    const limit = this.limitOf(account)
    const used = this.#used(account) ?? 0
    if (limit === Infinity || used < limit) return limit - used
    throw quotaExceeded(used, limit)
  }

  /**
   * Takes something in that may have at most `limit` bytes, within what the account may still store; counts it. Throws
   * `data_quota_exceeded` where that is the reason why it is too large.
   */
  async within<T extends { readonly length: number }>(
    account: AccountId,
    limit: number,
    take: (limit: number) => Promise<T>,
  ): Promise<T> {
    const room = this.roomOf(account)
    try {
      const taken = await take(Math.min(limit, room))
      this.added(account, taken.length)
      return taken
    } catch (error) {
      const isQuota = error instanceof CarrickError && error.code === 'body_too_large' && room < limit
      throw isQuota ? quotaExceeded(this.#used(account) ?? 0, this.limitOf(account), error) : error
    }
  }

  /** So much more, or less, is there than when it was measured. */
  added(account: AccountId, bytes: number): void {
    this.#added.set(account, (this.#added.get(account) ?? 0) + bytes)
    this.#changed.add(account)
  }

  isOver(account: AccountId): boolean {
    return isOver(this.#used(account) ?? 0, this.limitOf(account))
  }

  isFarOver(account: AccountId): boolean {
    return isFarOver(this.#used(account) ?? 0, this.limitOf(account))
  }

  /** Whether to measure it now: it has a limit, it may have changed, and it is time. */
  isDue(account: AccountId, isActive: boolean): boolean {
    if (this.limitOf(account) === Infinity) return false
    const last = this.#measured.get(account)
    const hasChanged = this.#changed.has(account)
    if (last !== undefined && !isActive && !hasChanged) return false
    const everyMs = hasChanged ? Math.min(soonMs, this.#parts.everyMs) : this.#parts.everyMs
    return this.#parts.clock.now() >= measureAt(last, everyMs)
  }

  /** Measures it for somebody who asks, unless that was done lately. */
  async refresh(account: AccountId): Promise<void> {
    const { clock, everyMs } = this.#parts
    if (clock.now() >= measureAt(this.#measured.get(account), everyMs)) await this.measure(account)
  }

  /** Measures it, together for all who ask at a time. What cannot be measured is as it was. */
  async measure(account: AccountId): Promise<void> {
    const going = this.#measuring.get(account) ?? this.#measure(account)
    this.#measuring.set(account, going)
    await going.finally(() => this.#measuring.delete(account))
  }

  async #measure(account: AccountId): Promise<void> {
    const { clock, folderOf } = this.#parts
    const path = await folderOf(account)
    const [began, addedBefore] = [clock.now(), this.#added.get(account) ?? 0]
    this.#changed.delete(account)
    const bytes = (await diskUsage([path], AbortSignal.timeout(longestMs))).get(path)
    if (bytes === undefined) return
    this.#measured.set(account, { bytes, at: clock.now(), tookMs: clock.now() - began })
    this.#added.set(account, (this.#added.get(account) ?? 0) - addedBefore)
  }

  #used(account: AccountId): number | undefined {
    const measured = this.#measured.get(account)?.bytes
    const added = this.#added.get(account)
    return measured === undefined && added === undefined ? undefined : Math.max(0, (measured ?? 0) + (added ?? 0))
  }
}

function quotaExceeded(used: number, limit: number, cause?: unknown): CarrickError {
  return new CarrickError(
    'data_quota_exceeded',
    `This account may keep ${limit} bytes in /data and has ${used}: delete something first, or ask whoever runs the server for more (CARRICK_DATA_QUOTA)`,
    { cause },
  )
}
