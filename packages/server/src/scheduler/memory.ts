import type { App } from '../domain/app.ts'
import { failedStart, type Backoff } from '../domain/backoff.ts'
import type { AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Revision } from '../domain/revision.ts'
import { isFailedStart, type Identity, type StopReason, type Terminated } from '../domain/runner.ts'
import type { Moment } from '../kit/clock.ts'
import type { Change } from './fleet.ts'
import type { Handover } from './plan.ts'
import { Pulls } from './pulls.ts'

const formerKept = 1_000

/** What the scheduler knows beside the runners themselves. A restart, which ends them all, may forget it. */
export class Memory {
  /** Failed starts, until one succeeds. */
  readonly backoffs = new Map<RevisionId, Backoff>()
  /** The start that failed last of each revision that has a backoff. */
  readonly failedStarts = new Map<RevisionId, Terminated>()
  readonly pulls = new Pulls()
  /** Runners to be stopped when their successor serves. */
  readonly replacing = new Map<RunnerId, RunnerId | undefined>()
  /** Why each of them is. */
  readonly replacedFor = new Map<RunnerId, StopReason>()
  /** Revisions of which a runner is to be there whether anybody calls or not, until one has served or has failed to. */
  readonly #warming = new Map<AppId, RevisionId>()
  readonly #handovers = new Map<AppId, Handover & { readonly to: RevisionId }>()
  /** What live runners were started from. */
  readonly #revisions = new Map<RunnerId, Revision>()
  /** Runners that ended lately: their last lines may still be on the way. */
  readonly #former = new Map<RunnerId, Identity>()

  /** Learns from a change that is on disk. */
  learn({ from, to, start }: Change, now: Moment): void {
    const isRun = this.#revisions.get(to.id)?.spec.run !== undefined // nothing of it is started twice
    if (start) this.#revisions.set(to.id, start.revision)
    if (to.state === 'serving') {
      this.backoffs.delete(to.revisionId)
      this.failedStarts.delete(to.revisionId)
    }
    if (to.state === 'serving' || to.state === 'terminated') this.#warmed(to)
    if (to.state !== 'terminated') return
    if (from?.state === 'setup' && isFailedStart(to) && !isRun) {
      this.backoffs.set(to.revisionId, failedStart(this.backoffs.get(to.revisionId), to.createdAt, now))
      this.failedStarts.set(to.revisionId, to)
    }
    this.replacing.delete(to.id)
    this.replacedFor.delete(to.id)
    this.#revisions.delete(to.id)
    this.#former.set(to.id, to)
    const [oldest] = this.#former.keys()
    if (this.#former.size > formerKept && oldest !== undefined) this.#former.delete(oldest)
  }

  /** This runner goes when its successor serves. Who asked first has said why. */
  replace(id: RunnerId, reason: StopReason): void {
    if (this.replacing.has(id)) return
    this.replacing.set(id, undefined)
    this.replacedFor.set(id, reason)
  }

  /** A rolling deploy has switched: its old runners serve on until the new ones carry as much. */
  beginHandover(appId: AppId, to: RevisionId, handover: Handover): void {
    this.#handovers.set(appId, { ...handover, to })
  }

  /** The handover to the revision that is active now. */
  handoverOf({ id, revisionId }: App): Handover | undefined {
    const handover = this.#handovers.get(id)
    return handover?.to === revisionId ? handover : undefined
  }

  /** The app has moved to this revision before any runner of it served. */
  warm(appId: AppId, revisionId: RevisionId): void {
    this.#warming.set(appId, revisionId)
  }

  isWarming({ id, revisionId }: App): boolean {
    return revisionId !== undefined && this.#warming.get(id) === revisionId
  }

  /** Forgets handovers of which no runner is left. */
  tidy(isLive: (id: RunnerId) => boolean): void {
    for (const [appId, { runners }] of this.#handovers) if (![...runners].some(isLive)) this.#handovers.delete(appId)
  }

  /** Forgets what it knows of revisions of which nothing will be started. */
  keepRevisions(ids: ReadonlySet<RevisionId>): void {
    for (const id of this.backoffs.keys()) if (!ids.has(id)) this.backoffs.delete(id)
    for (const id of this.failedStarts.keys()) if (!ids.has(id)) this.failedStarts.delete(id)
    for (const [appId, id] of this.#warming) if (!ids.has(id)) this.#warming.delete(appId)
  }

  revisionOf(runnerId: RunnerId): Revision | undefined {
    return this.#revisions.get(runnerId)
  }

  former(id: RunnerId): Identity | undefined {
    return this.#former.get(id)
  }

  #warmed({ appId, revisionId }: Identity): void {
    if (this.#warming.get(appId) === revisionId) this.#warming.delete(appId)
  }
}
