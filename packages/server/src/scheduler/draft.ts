import type { AppId, RunnerId } from '../domain/ids.ts'
import type { LiveRunner, Runner } from '../domain/runner.ts'
import type { Change, Fleet } from './fleet.ts'
import type { RunnerStart } from './launch.ts'

/** What a pass wants the fleet to become. */
export class Draft {
  readonly #fleet: Fleet
  readonly #runners = new Map<RunnerId, Runner>()
  readonly #starts = new Map<RunnerId, RunnerStart>()

  constructor(fleet: Fleet) {
    this.#fleet = fleet
  }

  /** The runner as it will be. */
  get(id: RunnerId): LiveRunner | undefined {
    const runner = this.#runners.get(id) ?? this.#fleet.get(id)
    return runner?.state === 'terminated' ? undefined : runner
  }

  /** An app's runners as they are, but with those as serving that are about to. */
  ofApp(appId: AppId): readonly LiveRunner[] {
    return this.#fleet.ofApp(appId).map((runner) => {
      const drafted = this.#runners.get(runner.id)
      return drafted?.state === 'serving' ? drafted : runner
    })
  }

  put(runner: Runner, start?: RunnerStart): void {
    if (runner === this.get(runner.id)) return
    this.#runners.set(runner.id, runner)
    if (start) this.#starts.set(runner.id, start)
  }

  changes(): readonly Change[] {
    return [...this.#runners.values()].flatMap((to): Change[] => {
      const from = this.#fleet.get(to.id)
      const start = this.#starts.get(to.id)
      const more = start === undefined ? {} : { start }
      if (from !== undefined) return [{ from, to, ...more }]
      return to.state === 'terminated' ? [] : [{ to, ...more }]
    })
  }
}
