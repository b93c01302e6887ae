import type { RunnerId } from '../../../domain/ids.ts'
import type { RunnerSpec } from '../../backend.ts'
import { standsBack } from './standing-back.ts'

const askEveryMs = 500

export interface StartsBehindParts {
  readonly cpuSecondsOf: (id: RunnerId) => Promise<number | undefined>
  /** Has it stand back no more. */
  readonly comeForward: (spec: RunnerSpec) => Promise<void>
}

interface Behind {
  readonly timer: NodeJS.Timeout
  /** It is coming forward. */
  forward?: Promise<void>
}

/** The runners that start behind everybody, and come forward when that has lasted. */
export class StartsBehind {
  readonly #parts: StartsBehindParts
  readonly #behind = new Map<RunnerId, Behind>()

  constructor(parts: StartsBehindParts) {
    this.#parts = parts
  }

  begin(spec: RunnerSpec): void {
    const since = performance.now()
    const timer = setInterval(() => void this.#look(spec, since), askEveryMs).unref()
    this.#behind.set(spec.id, { timer })
  }

  /** It serves, or has ended. Resolves when nothing more is done about its start. */
  async over(id: RunnerId): Promise<void> {
    const one = this.#behind.get(id)
    clearInterval(one?.timer)
    this.#behind.delete(id)
    await one?.forward
  }

  async #look(spec: RunnerSpec, since: number): Promise<void> {
    const { cpuSecondsOf, comeForward } = this.#parts
    const seconds = await cpuSecondsOf(spec.id)
    const one = this.#behind.get(spec.id)
    if (one === undefined || one.forward !== undefined) return
    const cpuMs = seconds === undefined ? undefined : seconds * 1_000
    const starting = [...this.#behind.values()].filter(({ forward }) => forward === undefined).length
    if (standsBack({ forMs: performance.now() - since, cpuMs, starting })) return
    clearInterval(one.timer)
    one.forward = comeForward(spec)
      .catch(() => {}) // its group is gone with it, or as it was
      .finally(() => this.#behind.delete(spec.id))
  }
}
