import type { RunnerId } from '../../domain/ids.ts'
import type { Logger } from '../../kit/logger.ts'
import type { RunnerOutput } from '../backend.ts'
import type { Bounds } from './groups/bounds.ts'
import type { Isolation } from './isolation/isolation.ts'
import type { Launcher } from './start/launcher.ts'
import type { Ports } from './start/ports.ts'
import type { Place } from './end/survivors.ts'

/** What all runners of a backend have in common. */
export interface RunnerSetting {
  readonly place: Place
  readonly ports: Ports
  readonly basePath: string
  /** `runners/python/carrick_exec`. */
  readonly execHelper: string
  /** None where the machine has no Python of its own. */
  readonly launcher: Launcher | undefined
  readonly bounds: Bounds
  readonly isolation: Isolation
  readonly log: Logger
  readonly changed: (id: RunnerId) => void
  readonly said: (output: RunnerOutput) => void
}
