import { saysTheSame, type Decision, type KeptDecision } from '../domain/decision.ts'
import type { AppId } from '../domain/ids.ts'

/** Decisions kept of one app. */
const perApp = 50
/** Apps of which any are kept: those that were decided about last. */
const mostApps = 1_000

/** The last decisions of each app, in memory. One that says nothing new only counts up. */
export class DecisionLog {
  /** The app that was decided about last stands last. */
  readonly #byApp = new Map<AppId, KeptDecision[]>()

  note(appId: AppId, decision: Decision): void {
    const kept = this.#byApp.get(appId) ?? []
    this.#byApp.delete(appId)
    this.#byApp.set(appId, kept)
    const last = kept.at(-1)
    if (last !== undefined && saysTheSame(last.decision, decision))
      kept[kept.length - 1] = { decision, firstAt: last.firstAt, times: last.times + 1 }
    else kept.push({ decision, firstAt: decision.at, times: 1 })
    if (kept.length > perApp) kept.shift()
    const [oldest] = this.#byApp.keys()
    if (this.#byApp.size > mostApps && oldest !== undefined) this.#byApp.delete(oldest)
  }

  /** The last one first. */
  of(appId: AppId): readonly KeptDecision[] {
    return (this.#byApp.get(appId) ?? []).toReversed()
  }

  /** Forgets apps that are gone, with all their runners. */
  tidy(isKnown: (appId: AppId) => boolean): void {
    for (const appId of this.#byApp.keys()) if (!isKnown(appId)) this.#byApp.delete(appId)
  }
}
