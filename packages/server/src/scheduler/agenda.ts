import type { AppId } from '../domain/ids.ts'
import { Sorted } from '../home/sorted.ts'
import type { Moment } from '../kit/clock.ts'

interface Entry {
  readonly appId: AppId
  readonly at: Moment
}

/** When each app is to be looked at next although nothing happens. One moment per app. */
export class Agenda {
  readonly #inOrder = new Sorted<Entry>(
    (one, other) => one.at - other.at || (one.appId < other.appId ? -1 : Number(one.appId > other.appId)),
  )
  readonly #byApp = new Map<AppId, Entry>()

  /** The earliest moment of all. */
  get next(): Moment | undefined {
    return this.#inOrder.first?.at
  }

  /** Whether the app is looked at by then. */
  isSetBefore(appId: AppId, moment: Moment): boolean {
    return (this.#byApp.get(appId)?.at ?? Infinity) <= moment
  }

  /** Moves an app to the earliest of these that are still to come; without any it stands here no longer. */
  set(appId: AppId, moments: readonly Moment[], now: Moment): void {
    const at = moments.reduce((earliest, moment) => (moment > now && moment < earliest ? moment : earliest), Infinity)
    const before = this.#byApp.get(appId)
    if (before?.at === at) return
    if (before !== undefined) this.#remove(before)
    if (at === Infinity) return
    const entry = { appId, at }
    this.#byApp.set(appId, entry)
    this.#inOrder.add(entry)
  }

  /** Takes out those whose moment has come. */
  *take(now: Moment): Iterable<AppId> {
    for (let entry = this.#inOrder.first; entry !== undefined && entry.at <= now; entry = this.#inOrder.first) {
      this.#remove(entry)
      yield entry.appId
    }
  }

  #remove(entry: Entry): void {
    this.#inOrder.remove(entry)
    this.#byApp.delete(entry.appId)
  }
}
