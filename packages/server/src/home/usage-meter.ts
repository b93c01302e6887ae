import type { KeyId, RequestId, RunnerId } from '../domain/ids.ts'
import { Shares, type Reckoned } from '../domain/shares.ts'
import { hourOf, unitsIn } from '../domain/usage.ts'
import type { Clock, Moment } from '../kit/clock.ts'

/** As whom something is called. */
export interface CalledAs {
  /** Absent without a key. */
  readonly keyId: KeyId | undefined
  /** Whether the app is shared when it is called. */
  readonly isShared: boolean
}

/** What one caller had of one runner within an hour, and is not on disk yet. */
export interface Cell extends CalledAs {
  readonly runnerId: RunnerId
  readonly hour: Moment
  /** Time of the runner, its part of which the caller had. Not whole. */
  ms: number
  /** Direct ones: those of the queue are on disk. */
  requests: number
  /** Of direct ones, in hundred-millionths. */
  units: number
}

/** Something that uses a runner, until its end. */
export interface Use extends Disposable {
  /** What the app answered: it may say what that was worth. */
  answered(headers: Iterable<readonly [string, string]>): void
  end(): void
}

/** Calls whose app says later what they were worth. */
interface Awaited extends CalledAs {
  readonly runnerId: RunnerId
  readonly until: Moment
  told: boolean
}

interface Open {
  readonly runnerId: RunnerId
  readonly who: CalledAs
  readonly shares: Shares
  reckoned: Reckoned
}

const awaitedMs = 3_600_000
const mostAwaited = 10_000

/** Who uses which runner, in memory, until it is stored. Direct calls leave no other trace. */
export class UsageMeter {
  readonly #clock: Clock
  readonly #runners = new Map<RunnerId, Shares>()
  readonly #open = new Set<Open>()
  readonly #awaited = new Map<RequestId, Awaited>()
  #cells = new Map<string, Cell>()
  /** The cell that was written to last, by runner: it is the next one's as well, as a rule. */
  readonly #lastOf = new Map<RunnerId, Cell>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** From here until its end a request holds a part of the runner. A direct one, which has a name, counts when it ends. */
  begin(runnerId: RunnerId, who: CalledAs, direct?: RequestId): Use {
    const now = this.#clock.now()
    const shares = this.#runners.get(runnerId) ?? new Shares(now)
    this.#runners.set(runnerId, shares)
    const open: Open = { runnerId, who, shares, reckoned: shares.join(now) }
    this.#open.add(open)
    let units = 0
    const end = () => {
      if (!this.#open.has(open)) return
      this.#end(open)
      if (direct !== undefined) this.#count(open, units)
    }
    return {
      answered: (headers) => {
        for (const [name, value] of headers) {
          if (name === 'x-fal-billable-units') units = unitsIn(value)
          else if (name === 'x-fal-billable-units-webhook' && value === '1' && direct !== undefined)
            this.#await(direct, { ...who, runnerId })
        }
      },
      end,
      [Symbol.dispose]: end,
    }
  }

  /** All that is not on disk yet, also of what goes on; from here on it is the caller's to store. */
  take(): readonly Cell[] {
    for (const open of this.#open) this.#reckon(open)
    for (const shares of this.#runners.values()) shares.forgetHours()
    const taken = [...this.#cells.values()]
    this.#cells = new Map()
    this.#lastOf.clear()
    return taken
  }

  /** For what could not be stored. */
  putBack(cells: readonly Cell[]): void {
    for (const { ms, requests, units, ...of } of cells) {
      const cell = this.#cell(of.runnerId, of, of.hour)
      cell.ms += ms
      cell.requests += requests
      cell.units += units
    }
  }

  /**
   * On which runner a direct call was whose answer announced that its app says later what it was worth
   * (`x-fal-billable-units-webhook`); undefined when nothing is known of such a call, or no more.
   */
  awaits(requestId: RequestId): RunnerId | undefined {
    const call = this.#awaited.get(requestId)
    return call === undefined || call.until < this.#clock.now() ? undefined : call.runnerId
  }

  /** Counts what the app says that an awaited call was worth, in hundred-millionths; what it said first stands. */
  report(requestId: RequestId, units: number): void {
    const call = this.#awaited.get(requestId)
    if (call === undefined || call.told) return
    call.told = true
    this.#cell(call.runnerId, call, hourOf(this.#clock.now())).units += units
  }

  #end(open: Open): void {
    this.#reckon(open)
    this.#open.delete(open)
    if (open.shares.leave(this.#clock.now())) this.#runners.delete(open.runnerId)
  }

  /** Credits a caller with what they have had since the last time. */
  #reckon(open: Open): void {
    const { runnerId, who, shares, reckoned } = open
    const now = this.#clock.now()
    if (who.keyId !== undefined)
      for (const { hour, ms } of shares.since(reckoned, now)) if (ms > 0) this.#cell(runnerId, who, hour).ms += ms
    open.reckoned = shares.reckoned(now)
  }

  #count({ runnerId, who }: Open, units: number): void {
    const cell = this.#cell(runnerId, who, hourOf(this.#clock.now()))
    cell.requests += 1
    cell.units += units
  }

  #await(requestId: RequestId, call: CalledAs & { readonly runnerId: RunnerId }): void {
    const [oldest] = this.#awaited.keys()
    if (this.#awaited.size >= mostAwaited && oldest !== undefined) this.#awaited.delete(oldest)
    this.#awaited.set(requestId, { ...call, until: this.#clock.now() + awaitedMs, told: false })
  }

  #cell(runnerId: RunnerId, { keyId, isShared }: CalledAs, hour: Moment): Cell {
    const last = this.#lastOf.get(runnerId)
    if (last?.keyId === keyId && last?.hour === hour && last.isShared === isShared) return last
    const name = `${runnerId} ${hour} ${isShared} ${keyId ?? ''}`
    const cell = this.#cells.get(name) ?? { runnerId, hour, keyId, isShared, ms: 0, requests: 0, units: 0 }
    this.#cells.set(name, cell)
    this.#lastOf.set(runnerId, cell)
    return cell
  }
}
