import { setTimeout as rest } from 'node:timers/promises'
import { CarrickError } from '../domain/errors.ts'
import type { RequestId } from '../domain/ids.ts'
import { RequestChanges } from '../home/request-changes.ts'
import type { Logger } from '../kit/logger.ts'
import type { LogStore } from '../logs/log-store.ts'

/** How often places in a queue are looked at, and who has been silent. */
const tickMs = 1_000
/** Some clients give up after ten silent seconds, and want to hear something every five. */
const beatAfterMs = 2_500
/** After so long a stream looks again although nobody has told it to. */
const lookAfterMs = 20_000
/** Lines of a request that come in quick succession are told together. */
const gatherLinesMs = 100

interface WatchParts {
  readonly changes: RequestChanges
  readonly logs: Pick<LogStore, 'follow'>
  readonly log: Logger
}

/** What a stream does about the time that passes. Called once a second, so it neither waits nor reads. */
interface Watched {
  readonly requestId: RequestId
  readonly wantsLogs: boolean
  /** Whether there is something new that memory knows of. */
  readonly moved: () => boolean
  /** Shows the reader that nobody has left. */
  readonly beat: () => void
}

/** Wakes streams when their request changes. One timer and one reader of the logs serve them all, however many there are. */
export class StatusWatch {
  readonly #parts: WatchParts
  readonly #open = new Set<Watcher>()
  readonly #lines = new RequestChanges()
  #timer: NodeJS.Timeout | undefined
  #following: AbortController | undefined
  #readers = 0
  #isDraining = false

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** True from the moment at which the server was asked to stop: what waits does not start any more. */
  get isDraining(): boolean {
    return this.#isDraining
  }

  /** Begins to watch. To be called before the first look, so that no change falls between the two. */
  open(watched: Watched): Watcher {
    const { requestId, wantsLogs } = watched
    const wake = () => watcher.wake()
    const stops = [this.#parts.changes.watch(requestId, wake)]
    if (wantsLogs) stops.push(this.#lines.watch(requestId, wake), this.#followLines())
    const watcher: Watcher = new Watcher(watched, () => {
      for (const stop of stops) stop()
      this.#open.delete(watcher)
      if (this.#open.size === 0) this.#rest()
    })
    this.#open.add(watcher)
    this.#timer ??= setInterval(() => this.#tick(), tickMs).unref()
    return watcher
  }

  drain(): void {
    this.#isDraining = true
    for (const watcher of this.#open) watcher.wake()
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const now = performance.now()
    for (const watcher of this.#open) watcher.tick(now)
  }

  /** The logs are followed while a stream wants lines. */
  #followLines(): () => void {
    this.#readers += 1
    if (this.#following === undefined) {
      this.#following = new AbortController()
      void this.#tellLines(this.#following.signal)
    }
    return () => {
      this.#readers -= 1
      if (this.#readers > 0) return
      this.#following?.abort()
      this.#following = undefined
    }
  }

  async #tellLines(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#tellLinesAsTheyCome(signal)
      } catch (error) {
        if (!(error instanceof CarrickError)) this.#parts.log.error({ err: error }, 'the logs could not be followed')
        // Nobody is told of single lines for now, so everybody looks.
        this.#lines.tellAll()
        await rest(tickMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  async #tellLinesAsTheyCome(signal: AbortSignal): Promise<void> {
    using tail = this.#parts.logs.follow({})
    while (!signal.aborted) {
      const lines = await tail.next(signal)
      await rest(gatherLinesMs, undefined, { signal }).catch(() => {})
      for (const id of new Set(lines.map(({ requestId }) => requestId))) if (id !== undefined) this.#lines.tell(id)
    }
  }
}

/** One stream's end of the watch. */
export class Watcher implements Disposable {
  readonly #watched: Watched
  readonly #leave: () => void
  #isDue = false
  #ring = () => {}
  #toldAt = performance.now()
  #lookBy = performance.now() + lookAfterMs

  constructor(watched: Watched, leave: () => void) {
    this.#watched = watched
    this.#leave = leave
  }

  /** Resolves when there may be something to tell, at once if that was so since the last call. */
  async next(): Promise<void> {
    if (!this.#isDue) await new Promise<void>((resolve) => (this.#ring = resolve))
    this.#isDue = false
    this.#lookBy = performance.now() + lookAfterMs
  }

  /** The same, or once that time is over. */
  async nextWithin(ms: number): Promise<void> {
    const over = setTimeout(() => this.wake(), ms)
    await this.next()
    clearTimeout(over)
  }

  wake(): void {
    this.#isDue = true
    this.#ring()
  }

  /** To be called when the reader was told something. */
  told(): void {
    this.#toldAt = performance.now()
  }

  tick(now: number): void {
    if (now >= this.#lookBy || this.#watched.moved()) return this.wake()
    if (now - this.#toldAt < beatAfterMs) return
    this.#watched.beat()
    this.#toldAt = now
  }

  [Symbol.dispose](): void {
    this.#leave()
  }
}
