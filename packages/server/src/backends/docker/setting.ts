import type { RunnerId } from '../../domain/ids.ts'
import type { Logger } from '../../kit/logger.ts'
import type { RunnerOutput } from '../backend.ts'
import type { WaysIn } from '../../kit/ways-in.ts'
import type { Engine } from './engine/engine.ts'
import type { Entries } from './runner/entry.ts'
import type { Walls } from './walls/walls.ts'

/** By whom an image is pulled. */
export interface PullCredentials {
  readonly username: string
  readonly password: string
}

/** What all runners of a backend have in common. */
export interface ContainerSetting {
  readonly engine: Engine
  readonly walls: Walls
  readonly installation: string
  readonly log: Logger
  /** Of this machine, the runner's own. */
  readonly folderOf: (id: RunnerId) => string
  /** Nearer ways to containers than their published ports, where they can be had, and where callers look for them. */
  readonly near: { readonly entries: Entries; readonly waysIn: WaysIn } | undefined
  readonly authFor: (reference: string) => Promise<PullCredentials | undefined>
  /** Resolves when the engine is heard, or when aborted. */
  readonly whenBack: (signal: AbortSignal) => Promise<void>
  readonly changed: (id: RunnerId) => void
  readonly said: (output: RunnerOutput) => void
}
