import type { RunnerId } from '../../domain/ids.ts'
import type { RunnerView } from '../../domain/runner-view.ts'
import { unplacedWords } from '../../domain/unplaced-words.ts'

/** What a starting runner is about, for whoever waits for it; undefined where it says so itself or has nothing to wait for. */
function startWords({ state, machineType, placement, waitsFor }: RunnerView): string | undefined {
  if (state === 'pending') return waitsFor && `Waiting for a machine: ${unplacedWords(waitsFor)}`
  if (state === 'docker_pull') return 'Pulling its image …'
  if (state !== 'setup') return undefined
  return `Starting a runner on ${placement?.machineId ?? 'a machine'} (${machineType}) …`
}

/** Tells what starting runners are about, nothing twice. */
export class StartNews {
  readonly #told = new Map<RunnerId, string>()

  of(runners: readonly RunnerView[]): readonly string[] {
    return runners.flatMap((runner) => {
      const words = startWords(runner)
      if (words === undefined || this.#told.get(runner.id) === words) return []
      this.#told.set(runner.id, words)
      return [words]
    })
  }
}
