import type { AppId } from '../domain/ids.ts'
import type { Home } from '../home/home.ts'
import type { Clock, Moment } from '../kit/clock.ts'

/** How long the queue waits of which an attempt could not be stored. */
const holdMs = 1_000

interface Hold {
  readonly until: Moment
  readonly place: Disposable
}

/** Homes of whose queue nothing is served for a while. Who comes meanwhile stands in line. */
export class HeldBack {
  readonly #clock: Clock
  readonly #holds = new Map<AppId, Hold>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(home: Home): void {
    const place = this.#holds.get(home.appId)?.place ?? home.announce()
    this.#holds.set(home.appId, { until: this.#clock.now() + holdMs, place })
  }

  /** Until when it is held; undefined when it is not, or no longer. */
  until(appId: AppId): Moment | undefined {
    const hold = this.#holds.get(appId)
    if (hold === undefined || hold.until > this.#clock.now()) return hold?.until
    this.#holds.delete(appId)
    hold.place[Symbol.dispose]()
    return undefined
  }
}
