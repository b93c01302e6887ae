import type { AccountId, AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Address, Sighting } from '../domain/runner.ts'

/** What a backend needs to make a runner exist. Programs are lists of arguments, never a line for a shell. */
export interface RunnerSpec {
  readonly id: RunnerId
  readonly appId: AppId
  readonly revisionId: RevisionId
  /** Whose it is: only runners of one account may share anything. */
  readonly accountId: AccountId
  /** None where the image says what runs. */
  readonly command: readonly string[]
  /** What it runs in. Absent where it is a program of this machine. */
  readonly image?: RunnerImage
  /** The port that its server binds whatever PORT says. Absent: PORT. */
  readonly exposedPort?: number
  /** The engine's runtime that its app asks for, such as `runsc`. Absent: the installation's. */
  readonly runtime?: string
  /** All the environment the runner gets besides PORT, METRICS_PORT, CARRICK_RUNNER_ID and CARRICK_INSTALLATION. */
  readonly variables: Readonly<Record<string, string>>
  /** What it may use of the machine at most. Absent: all of it. */
  readonly limits?: Limits
  /** What it sees at paths of its own. Empty where `withoutMounts` says why there can be none. */
  readonly mounts: readonly Mount[]
  /** Files and folders of the platform that it reads, where runners see none else. */
  readonly sees?: readonly string[]
  /** Folders of the platform that it may write to. */
  readonly leaves?: readonly string[]
}

/** What is known of a runner before all else that its start needs. */
export type RunnerOutline = Pick<RunnerSpec, 'id' | 'appId' | 'revisionId' | 'limits'>

/** An image that a runner runs in. `sees`, `leaves` and `mounts` are there too, at the same paths. */
export interface RunnerImage {
  /** By digest. */
  readonly reference: string
  /** Instead of the image's own; an empty list is none. Without them a `command` is all that runs. */
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
}

/** What of the machine is a runner's own. */
export interface Limits {
  /** Its share when all want theirs; it may be a part of one core, and more than the machine has. */
  readonly cpus: number
  /** With all that it starts. */
  readonly memoryBytes: number
  /** Indices of the GPUs that it may see. */
  readonly gpus: readonly number[]
  /** The name of the machine type that gives it this, for people. */
  readonly machineType?: string
}

/** One of the things that keep runners within their bounds and apart. */
export interface Confinement {
  /** Such as `memory` or `network`. */
  readonly part: string
  /** By what, such as `cgroup v2`. Null where it is not had. */
  readonly by: string | null
  /** Why it is not had, or not as well as it could be: half a sentence. */
  readonly why?: string
}

/** A folder that a runner sees at a path where others see another, or none. */
export interface Mount {
  /** Where it is: a real path. A link on the way is refused, for a runner may have put it there. */
  readonly from: string
  /** The folder above it below which runners may change the way to it, at any moment. Absent: nobody can. */
  readonly within?: string
  readonly to: string
  /** What is there cannot be changed: what the runner writes over it is its own and goes with it, or is refused. */
  readonly readOnly: boolean
  /** It is refused in any case: what would go with the runner must not seem to be kept. */
  readonly refuses?: true
}

/** A line a runner wrote, as the backend read it. `requestId` when the bootstrap tagged it. */
export interface RunnerOutput {
  readonly runnerId: RunnerId
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
  readonly requestId?: string
}

/** What a runner, with all that it started, has used of the machine. */
export interface RunnerUsage {
  /** Since its start. Without control groups (v2), what processes used that ended and were waited for by nobody is lost. */
  readonly cpuSeconds: number
  /** Now. What its processes share is counted once for each where the machine keeps no account of groups. */
  readonly memoryBytes: number
}

export interface TerminalSize {
  readonly rows: number
  readonly columns: number
}

/** A command to run beside a runner. */
export interface ExecCommand {
  /** Program and arguments; none: a shell. */
  readonly command: readonly string[]
  /** Present: it runs on a terminal of that size. Absent: on three pipes. */
  readonly terminal?: TerminalSize
}

export interface ExecOutput {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

/** A command that runs beside a runner. Letting go of it ends the command and all that it started. */
export interface ExecSession extends AsyncDisposable {
  /** What it writes, raw and in order; all of it stdout on a terminal. Nothing is read ahead of who reads this. */
  readonly output: AsyncIterable<ExecOutput>
  /** Known when all output is read: as shells tell it, 128 and the signal for one that a signal ended. Nothing when the session was ended with the runner, or by its owner. */
  readonly exitCode: Promise<number | undefined>
  /** Gives it input. Resolves when there is room for more. What a command does not read is for nobody. */
  write(data: Uint8Array): Promise<void>
  /** No more input will come: the end of a pipe, the hang-up of a terminal's input. Output goes on. */
  endInput(): void
  resize(size: TerminalSize): void
}

/** Stops runners in their tracks, with all that they started: they keep their memory and connections and take no CPU. */
export interface BackendFreezer {
  /** Rejects where it could not: then the runner goes on. One that is gone, or frozen already, is left as it is. */
  freeze(id: RunnerId, signal: AbortSignal): Promise<void>
  /** It goes on when this resolves. `terminate` and `kill` see to it by themselves. */
  thaw(id: RunnerId, signal: AbortSignal): Promise<void>
}

/** Somewhere runners can live. Every call is idempotent by runner id, because a pass may be repeated. */
export interface RunnerBackend {
  readonly name: BackendName
  /** Why its runners can have no mounts, as half a sentence; undefined where they can. */
  readonly withoutMounts: string | undefined
  /** What its runners have of all that could keep them within their bounds and apart. */
  readonly confinement: readonly Confinement[]
  /** Throws `bad_request` for a runtime that an app may not choose here. Absent: there is none to choose. */
  readonly requireRuntime?: (name: string) => void
  /**
   * Makes ready what the start of a runner will take time for, and begins nothing of it: whether it starts is not certain yet.
   * Whoever calls this calls `start` or `forget` in a moment. Absent: there is nothing to make ready.
   */
  prepare?(outline: RunnerOutline): void
  /** Makes the runner exist. Returns before it serves; `list` tells when it does. */
  start(spec: RunnerSpec, signal: AbortSignal): Promise<void>
  /** Asks it to finish (SIGTERM) and returns. When it must end is the scheduler's decision. */
  terminate(id: RunnerId, signal: AbortSignal): Promise<void>
  /** Absent where runners cannot be frozen, for the reason that `withoutFreezing` gives as half a sentence. */
  readonly freezer?: BackendFreezer
  readonly withoutFreezing?: string
  /** Ends it, and all that it started, now. */
  kill(id: RunnerId, signal: AbortSignal): Promise<void>
  /**
   * Everything this installation owns here: also runners that the store has forgotten. With `only`, those of them: what
   * that costs does not grow with the others.
   */
  list(signal: AbortSignal, only?: ReadonlySet<RunnerId>): Promise<ReadonlyMap<RunnerId, Sighting>>
  /**
   * Where a live runner's own programs listen, as they asked for it, however it ends up there: a start that takes too long
   * is explained by it. Undefined where that cannot be seen. Absent: nowhere.
   */
  listening?(id: RunnerId): Promise<readonly Address[] | undefined>
  /**
   * Whether a runner's server listens at its address, where something stands before it that takes connections also when nobody
   * listens behind. Absent: who connects to the address knows.
   */
  isListening?(id: RunnerId): Promise<boolean>
  /** What the live runners use. One about which nothing can be learnt is left out. */
  usage(signal: AbortSignal): Promise<ReadonlyMap<RunnerId, RunnerUsage>>
  /**
   * Starts a command in a runner's surroundings: its variables, files, working folder and bounds. It ends with the
   * runner. Throws `runner_not_found` when that is not alive here, `exec_failed` when nothing could be run in it, and
   * `too_busy` when too much is run beside it already.
   */
  exec(id: RunnerId, command: ExecCommand, signal: AbortSignal): Promise<ExecSession>
  /** Forgets a runner that exited and was seen to, or never started: its record, its working folder. */
  forget(id: RunnerId): Promise<void>
  /** Calls back when this runner's sighting may have changed. */
  onChange(listener: (id: RunnerId) => void): void
  /** Calls back with each line that a runner writes. Pipes are always drained, listener or not; one that floods its own waits. */
  onOutput(listener: (output: RunnerOutput) => void): void
  /** Lets go of timers and pipes. Runners that still live are killed first. */
  close(): Promise<void>
}

export type BackendName = 'process' | 'docker' | 'kubernetes'
