import type { RunnerBackend } from '../backends/backend.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Identity, Serving, StopReason } from '../domain/runner.ts'
import type { Fleet } from './fleet.ts'
import type { Freezer } from './freezer.ts'
import type { Memory } from './memory.ts'
import type { Probe } from './probe.ts'

interface VerdictParts {
  readonly backend: Pick<RunnerBackend, 'isListening'>
  readonly fleet: Pick<Fleet, 'get'>
  readonly memory: Pick<Memory, 'revisionOf'>
  readonly freezer: Pick<Freezer, 'hold'>
  readonly probe: Probe
  readonly say: (message: string, runner: Identity) => void
  readonly replace: (id: RunnerId, reason: StopReason) => void
}

/** Looks at runners with which calls went badly, and has those replaced that do not answer. */
export class Verdicts {
  readonly #parts: VerdictParts
  /** Runners that are being looked at, and what comes after that. */
  readonly #checking = new Map<RunnerId, () => void>()

  constructor(parts: VerdictParts) {
    this.#parts = parts
  }

  /** `probe` asks as the app's health check does, where it declares one. One look at a time per runner, however many calls went badly. */
  async check(id: RunnerId, how: 'check' | 'probe', reason: StopReason): Promise<void> {
    const { fleet, memory, freezer, say, replace } = this.#parts
    const runner = fleet.get(id)
    if (runner?.state !== 'serving') return
    // What a call meets while somebody looks may have happened behind that look: one more comes after it.
    if (this.#checking.has(id)) return void this.#checking.set(id, () => void this.check(id, how, reason))
    this.#checking.set(id, () => {})
    const declared = how === 'probe' ? memory.revisionOf(id)?.spec.healthCheck : undefined
    using _attended = freezer.hold(id)
    const wrong = await (declared ? this.#parts.probe.whatIsWrong(runner.address, declared) : this.#whyShut(runner))
    const again = this.#checking.get(id)
    this.#checking.delete(id)
    if (wrong === undefined) return again?.()
    const what = declared ? `health check ${declared.method} ${declared.path}` : 'port'
    say(`The ${what} of this runner ${wrong}, so it is replaced.`, runner)
    replace(id, reason)
  }

  async #whyShut({ id, address }: Serving): Promise<string | undefined> {
    const { backend, probe } = this.#parts
    return (await (backend.isListening?.(id) ?? probe.accepts(address))) ? undefined : 'does not answer'
  }
}
