import type { AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Sighting } from '../domain/runner.ts'

/** What a backend needs to make a runner exist. Programs are lists of arguments, never a line for a shell. */
export interface RunnerSpec {
  readonly id: RunnerId
  readonly appId: AppId
  readonly revisionId: RevisionId
  readonly command: readonly string[]
  /** All the environment the runner gets besides PORT, METRICS_PORT, CARRICK_RUNNER_ID and CARRICK_INSTALLATION. */
  readonly variables: Readonly<Record<string, string>>
  /** What it sees at paths of its own. Empty where `withoutMounts` says why there can be none. */
  readonly mounts: readonly Mount[]
}

/** A folder that a runner sees at a path where others see another, or none. */
export interface Mount {
  /** Where it is: a real path. A link on the way is refused, for a runner may have put it there. */
  readonly from: string
  readonly to: string
  /** What is there cannot be changed: what the runner writes over it is its own and goes with it, or is refused. */
  readonly readOnly: boolean
}

/** A line a runner wrote, as the backend read it. `requestId` when the bootstrap tagged it. */
export interface RunnerOutput {
  readonly runnerId: RunnerId
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
  readonly requestId?: string
}

/** Somewhere runners can live. Every call is idempotent by runner id, because a pass may be repeated. */
export interface RunnerBackend {
  readonly name: BackendName
  /** Why its runners can have no mounts, as half a sentence; undefined where they can. */
  readonly withoutMounts: string | undefined
  /** Makes the runner exist. Returns before it serves; `list` tells when it does. */
  start(spec: RunnerSpec, signal: AbortSignal): Promise<void>
  /** Asks it to finish (SIGTERM) and returns. When it must end is the scheduler's decision. */
  terminate(id: RunnerId, signal: AbortSignal): Promise<void>
  /** Ends it, and all that it started, now. */
  kill(id: RunnerId, signal: AbortSignal): Promise<void>
  /** Everything this installation owns here: also runners that the store has forgotten. */
  list(signal: AbortSignal): Promise<ReadonlyMap<RunnerId, Sighting>>
  /** Forgets a runner that exited and was seen to: its record, its working folder. */
  forget(id: RunnerId): Promise<void>
  /** Calls back when a runner's sighting may have changed. */
  onChange(listener: () => void): void
  /** Calls back with each line that a runner writes. Pipes are always drained, listener or not. */
  onOutput(listener: (output: RunnerOutput) => void): void
  /** Lets go of timers and pipes. Runners that still live are killed first. */
  close(): Promise<void>
}

export type BackendName = 'process' | 'docker' | 'kubernetes'
