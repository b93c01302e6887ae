import { CarrickError } from '../domain/errors.ts'
import { Alarm } from './alarm.ts'
import { Arrivals, type CommitTook } from './arrivals.ts'
import type { Statement, StatementResult, Topic, Write } from './store.ts'

/** How one write of a group ended. */
export type Ended = { readonly results: readonly StatementResult[] } | { readonly error: Error }

/** How the writes of a group ended, in order. */
export interface GroupEnded {
  readonly ends: readonly Ended[]
  readonly took?: CommitTook
}

/** Puts a group on disk in one commit. A rejection means that none of it happened. */
type CommitGroup = (group: readonly (readonly Statement[])[]) => Promise<GroupEnded>

/** Commits that reached the disk, and the writes that were in them. */
export interface CommitStats {
  readonly commits: number
  readonly writes: number
  /** How long they took together. */
  readonly milliseconds: number
}

export interface CommitterOptions {
  readonly commitGroup: CommitGroup
  /** Called once for each topic that a group touched, after its writers were told. */
  readonly changed: (topic: Topic) => void
  /** Writes beyond this many waiting ones are refused with `too_busy`. */
  readonly maxWaiting?: number
  /** A commit holds at most so many writes, so that the first of them does not wait for ever. */
  readonly maxGroup?: number
}

interface Waiting {
  readonly statements: readonly Statement[]
  readonly topics: readonly Topic[]
  /** When it goes alone at the latest, on a monotonic scale; absent where somebody waits for it. */
  readonly goesAt: number | undefined
  readonly end: (ended: Ended) => void
}

/** When to look again while a commit is on its way. */
const aMoment = 10

/**
 * Group commit: everything handed over while one commit is on its way goes into the next, and a writer is told only
 * when the commit that holds its write is on disk.
 */
export class Committer {
  readonly #options: Required<CommitterOptions>
  #waiting: Waiting[] = []
  /** Of those that somebody waits for. */
  readonly #arrivals: Arrivals
  readonly #alarm = new Alarm(() => this.#commitPatient())
  #committing = false
  #watching = false
  #idle: (() => void)[] = []
  #stats = { commits: 0, writes: 0, milliseconds: 0 }

  constructor(options: CommitterOptions) {
    this.#options = { maxWaiting: 20_000, maxGroup: 512, ...options }
    this.#arrivals = new Arrivals(this.#options.maxGroup)
  }

  get stats(): CommitStats {
    return { ...this.#stats }
  }

  commit<T>({ statements, result, touches, patienceMs }: Write<T>): Promise<T> {
    if (this.#waiting.length >= this.#options.maxWaiting) {
      const message = `${this.#waiting.length} writes are waiting for the disk already; try again in a moment`
      return Promise.reject(new CarrickError('too_busy', message))
    }
    return new Promise<T>((resolve, reject) => {
      const end = (ended: Ended): void => {
        if ('error' in ended) return reject(ended.error)
        try {
          resolve(result(ended.results))
        } catch (error) {
          reject(error)
        }
      }
      const goesAt = patienceMs === undefined ? undefined : performance.now() + patienceMs
      this.#waiting.push({ statements, topics: touches, goesAt, end })
      if (goesAt !== undefined) return this.#alarm.by(goesAt)
      this.#arrivals.came(performance.now())
      if (!this.#committing && this.#arrivals.areEnough()) void this.#commitNow()
      else this.#watch()
    })
  }

  /** Resolves when nothing is waiting and nothing is on its way. */
  async drained(): Promise<void> {
    if (this.#waiting.length > 0) this.#alarm.by(performance.now())
    if (this.#committing || this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#alarm.clear()
  }

  /** Commits what only patient writes are in when nobody else has come by then. */
  #commitPatient(): void {
    if (this.#waiting.length === 0 || this.#arrivals.waiting > 0) return
    if (this.#committing) this.#alarm.by(performance.now() + aMoment)
    else void this.#commitNow()
  }

  /** Looks once per turn of the event loop: a turn hands over everything that the network brought. */
  #watch(): void {
    if (this.#watching || this.#committing) return
    this.#watching = true
    setImmediate(() => {
      this.#watching = false
      if (this.#committing) return
      if (this.#arrivals.areToGo(performance.now())) void this.#commitNow()
      else if (this.#arrivals.waiting > 0) this.#watch()
    })
  }

  async #commitNow(): Promise<void> {
    const group = this.#waiting.splice(0, this.#options.maxGroup)
    const urgent = group.reduce((count, { goesAt }) => count + (goesAt === undefined ? 1 : 0), 0)
    this.#arrivals.went(urgent, performance.now())
    this.#committing = true
    const ended = await this.#options
      .commitGroup(group.map(({ statements }) => statements))
      .catch((error: Error): GroupEnded => ({ ends: group.map(() => ({ error })) }))
    this.#committing = false
    const now = performance.now()
    // What goes along is no habit of those who wait, and makes no commit of theirs a usual one.
    this.#arrivals.ended({ count: urgent, now, took: urgent === group.length ? ended.took : undefined })
    // The disk has its next work before those who waited for the last are told: that takes a while.
    if (this.#arrivals.areEnough()) void this.#commitNow()
    this.#tell(group, ended)
    if (!this.#committing) this.#goOn()
  }

  #goOn(): void {
    if (this.#arrivals.waiting > 0) this.#watch()
    else if (this.#waiting.length > 0) this.#alarm.by(this.#idle.length > 0 ? 0 : this.#firstGoes())
    else for (const resolve of this.#idle.splice(0)) resolve()
  }

  #firstGoes(): number {
    return Math.min(...this.#waiting.map(({ goesAt }) => goesAt ?? 0))
  }

  #tell(group: readonly Waiting[], { ends, took }: GroupEnded): void {
    const touched = new Set<Topic>()
    let written = 0
    group.forEach(({ end, topics }, index) => {
      const how = ends[index] ?? { error: new Error('the store gave no answer for this write') }
      if ('results' in how) written += 1
      if ('results' in how) for (const topic of topics) touched.add(topic)
      end(how)
    })
    if (written > 0) this.#count(written, took?.commit ?? 0)
    for (const topic of touched) this.#options.changed(topic)
  }

  #count(written: number, commitMs: number): void {
    const { commits, writes, milliseconds } = this.#stats
    this.#stats = { commits: commits + 1, writes: writes + written, milliseconds: milliseconds + commitMs }
  }
}
