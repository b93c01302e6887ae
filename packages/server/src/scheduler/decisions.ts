import { saysTheSame, type Decision, type KeptDecision } from '../domain/decision.ts'
import type { AppId } from '../domain/ids.ts'
import type { DecidedOf } from '../store/decisions.ts'

/** Decisions kept of one app. */
const perApp = 50
/** Apps of which any are kept: those that were decided about last. */
const mostApps = 1_000
/** Decisions that wait for the disk. */
const mostUnkept = 10_000

/** The last decisions of each app, in memory. One that says nothing new only counts up. */
export class DecisionLog {
  /** The app that was decided about last stands last. */
  readonly #byApp = new Map<AppId, KeptDecision[]>()
  /** By app and first moment. */
  #unkept = new Map<string, DecidedOf>()

  note(appId: AppId, decision: Decision): void {
    const kept = this.#byApp.get(appId) ?? []
    this.#byApp.delete(appId)
    this.#byApp.set(appId, kept)
    const last = kept.at(-1)
    if (last !== undefined && saysTheSame(last.decision, decision))
      kept[kept.length - 1] = { decision, firstAt: last.firstAt, times: last.times + 1 }
    else kept.push({ decision, firstAt: decision.at, times: 1 })
    this.#note(appId, kept.at(-1))
    if (kept.length > perApp) kept.shift()
    const [oldest] = this.#byApp.keys()
    if (this.#byApp.size > mostApps && oldest !== undefined) this.#byApp.delete(oldest)
  }

  /** The last one first. */
  of(appId: AppId): readonly KeptDecision[] {
    return (this.#byApp.get(appId) ?? []).toReversed()
  }

  /** What is not on disk yet, at most so many; from here on it is the caller's to keep. */
  take(most: number): readonly DecidedOf[] {
    const all = [...this.#unkept]
    this.#unkept = new Map(all.slice(most))
    return all.slice(0, most).map(([, unkept]) => unkept)
  }

  /** For what could not be kept. */
  putBack(unkept: readonly DecidedOf[]): void {
    for (const { appId, kept } of unkept)
      if (!this.#unkept.has(nameOf(appId, kept)) && this.#unkept.size < mostUnkept) this.#note(appId, kept)
  }

  /** Forgets apps that are gone, with all their runners. */
  tidy(isKnown: (appId: AppId) => boolean): void {
    for (const appId of this.#byApp.keys()) if (!isKnown(appId)) this.#byApp.delete(appId)
  }

  #note(appId: AppId, kept: KeptDecision | undefined): void {
    if (kept === undefined) return
    this.#unkept.set(nameOf(appId, kept), { appId, kept })
    const [oldest] = this.#unkept.keys()
    if (this.#unkept.size > mostUnkept && oldest !== undefined) this.#unkept.delete(oldest)
  }
}

const nameOf = (appId: AppId, { firstAt }: KeptDecision): string => `${firstAt} ${appId}`
