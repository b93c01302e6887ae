import { syncBuiltinESMExports } from 'node:module'
import timersPromises from 'node:timers/promises'
import type { Clock, Moment } from '../../packages/server/src/kit/clock.ts'

type Ring = () => void

interface Entry {
  readonly at: Moment
  readonly order: number
  /** A server's own timers go with it. */
  readonly ofServer: boolean
  ring: Ring | undefined
}

const isBefore = (one: Entry, other: Entry) => one.at < other.at || (one.at === other.at && one.order < other.order)
const turn = setImmediate

/**
 * Time that jumps from one moment at which something is due to the next. While it is installed, what the platform sets
 * timers for is due in this time too; the world around it uses `after`.
 */
export class VirtualTime implements Clock {
  readonly #heap: Entry[] = []
  #now: Moment
  #order = 0

  constructor(start: Moment) {
    this.#now = start
  }

  now(): Moment {
    return this.#now
  }

  /** Calls back after so many milliseconds, unless what it returns is called before. */
  after(ms: number, ring: Ring, ofServer = false): () => void {
    const entry: Entry = { at: this.#now + Math.max(0, Math.ceil(ms)), order: (this.#order += 1), ofServer, ring }
    this.#add(entry)
    return () => {
      entry.ring = undefined
    }
  }

  /** Resolves after so many milliseconds. */
  rest(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  /** Lets time pass until then: from moment to moment, each time until nothing is left to do at it. */
  async passUntil(end: Moment, afterEach: () => void): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.at <= end; next = this.#heap[0]) {
      this.#take()
      if (next.ring === undefined) continue
      this.#now = Math.max(this.#now, next.at)
      next.ring()
      await new Promise((resolve) => turn(resolve)) // all that follows is done in microtasks
      afterEach()
    }
    this.#now = Math.max(this.#now, end)
  }

  /** As when a process ends. */
  dropServerTimers(): void {
    for (const entry of this.#heap) if (entry.ofServer) entry.ring = undefined
  }

  /** Makes the timers of this process ring in this time. What it returns puts the real ones back. */
  install(): () => void {
    const real = { setTimeout, clearTimeout, setInterval, clearInterval }
    const rest = timersPromises.setTimeout
    Object.assign(globalThis, {
      setTimeout: (ring: Ring, ms = 0) => new Timer(this, ring, ms, false),
      setInterval: (ring: Ring, ms = 0) => new Timer(this, ring, ms, true),
      clearTimeout: (timer?: Timer) => timer?.close(),
      clearInterval: (timer?: Timer) => timer?.close(),
    })
    const virtual = (ms = 0, value?: unknown, { signal }: { signal?: AbortSignal } = {}): Promise<unknown> =>
      new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        this.after(ms, () => resolve(value), true)
      })
    Object.assign(timersPromises, { setTimeout: virtual })
    syncBuiltinESMExports()
    return () => {
      Object.assign(globalThis, real)
      Object.assign(timersPromises, { setTimeout: rest })
      syncBuiltinESMExports()
    }
  }

  #add(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  #take(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const child = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

/** As much of a timer of Node as the platform uses. */
class Timer {
  #cancel: () => void

  constructor(time: VirtualTime, ring: Ring, ms: number, again: boolean) {
    const set = (): (() => void) =>
      time.after(
        ms,
        () => {
          if (again) this.#cancel = set()
          ring()
        },
        true,
      )
    this.#cancel = set()
  }

  close(): void {
    this.#cancel()
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
