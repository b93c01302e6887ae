import type { RunnerOutput } from '../backends/backend.ts'
import type { Identity } from '../domain/runner.ts'
import type { Clock } from '../kit/clock.ts'
import type { LogLine, LogStore } from '../logs/log-store.ts'
import type { Fleet } from './fleet.ts'
import type { Masks } from './masks.ts'
import type { Memory } from './memory.ts'
import { bridgeLine, logLineOf } from './output.ts'
import type { Runs } from './runs.ts'

export interface VoicesParts {
  readonly fleet: Pick<Fleet, 'get'>
  readonly memory: Pick<Memory, 'former'>
  readonly masks: Pick<Masks, 'mask'>
  readonly runs: Pick<Runs, 'heard' | 'said'>
  readonly logs: Pick<LogStore, 'append'>
  readonly clock: Clock
}

/** What runners say, and what is said of them: into the logs, and to whoever follows a run. */
export class Voices {
  readonly #parts: VoicesParts

  constructor(parts: VoicesParts) {
    this.#parts = parts
  }

  /** A line of a runner, also of one that ended a moment ago. Its secrets are masked. */
  heard(output: RunnerOutput): void {
    const { fleet, memory, masks, runs, clock } = this.#parts
    const runner = fleet.get(output.runnerId) ?? memory.former(output.runnerId)
    if (runner === undefined) return
    const text = masks.mask(output.runnerId, output.text)
    const line = runs.heard(logLineOf({ ...output, text }, runner, clock.now()))
    if (line !== undefined) this.#log(line)
  }

  /** The platform's own word about a runner, among the runner's. */
  say(message: string, runner: Identity): void {
    this.#log(bridgeLine(message, runner, this.#parts.clock.now()))
  }

  #log(line: LogLine): void {
    this.#parts.logs.append(line)
    this.#parts.runs.said(line)
  }
}
