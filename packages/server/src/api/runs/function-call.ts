import type { FunctionCall } from '../../calls/function-call.ts'
import type { App } from '../../domain/app.ts'
import type { RequestId } from '../../domain/ids.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import type { RunResult } from '../../domain/run-value.ts'
import type { SecretValues } from '../../domain/secret.ts'
import type { LogLine } from '../../logs/log-store.ts'

/** Everything that two calls have in common when one runner may serve both. */
export interface HostFacts extends Pick<App, 'accountId' | 'name' | 'environment'> {
  readonly spec: RevisionSpec
  /** Where the environment is: a build that was forced has another place. */
  readonly place: string
  /** The secrets that its runners start with. */
  readonly secrets: SecretValues
}

/** One call, and its caller. */
export interface Asked extends Pick<FunctionCall, 'code' | 'setup'> {
  readonly id: RequestId
  readonly say: (line: LogLine) => void
  /** Aborted when nobody waits any more; its reason is thrown. */
  readonly signal: AbortSignal
}

/** Calls functions in runners that are kept for the next call. */
export interface Functions {
  /** Resolves with what the function returned or raised, unread. Rejects with a sentence about a runner that failed. */
  call(facts: HostFacts, asked: Asked): Promise<RunResult>
}
