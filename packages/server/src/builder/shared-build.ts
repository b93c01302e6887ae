import type { EnvironmentId } from '../domain/ids.ts'

export type Work = (onLine: (line: string) => void, signal: AbortSignal) => Promise<EnvironmentId>

const mostKeptLines = 2_000

/** A build that several callers wait for. It is given up when nobody waits any longer. */
export class SharedBuild {
  readonly ended: Promise<EnvironmentId>
  readonly #listeners = new Set<(line: string) => void>()
  readonly #stop = new AbortController()
  readonly #lines: string[] = []

  constructor(work: Work) {
    this.ended = work((line) => this.#tell(line), this.#stop.signal)
    this.ended.catch(() => {}) // each caller is told; without callers nobody needs to be
  }

  /** Whether it was given up: then it is too late to wait for it. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  stop(reason: unknown): void {
    this.#stop.abort(reason)
  }

  /** Waits for the end. The caller hears every line, also those said before it came. */
  async join(onLine: (line: string) => void, signal: AbortSignal): Promise<EnvironmentId> {
    const listener = (line: string) => onLine(line) // one function may wait twice
    this.#listeners.add(listener)
    for (const line of this.#lines) listener(line)
    try {
      return await Promise.race([this.ended, aborted(signal)])
    } finally {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.stop(new Error('nobody waits for this build any longer'))
    }
  }

  #tell(line: string): void {
    if (this.#lines.push(line) > mostKeptLines) this.#lines.shift()
    for (const listener of this.#listeners) listener(line)
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
