import type { EnvironmentId } from '../domain/ids.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import type { SecretValues } from '../domain/secret.ts'

/** Turns definitions into environments on disk. Equal definitions are built once, also when asked for at the same time. */
export interface Builder {
  /**
   * Resolves with the id of a finished environment, at once when it exists. `onLine` gets the build's output line by
   * line. Rejects with `build_failed` and the failing lines, or with `bad_request` for a Python that is not here.
   */
  build(definition: EnvironmentDefinition, options: BuildOptions): Promise<EnvironmentId>
  /** The folder of an environment, whether it exists or not. Its interpreter is `bin/python` below. */
  folderOf(id: EnvironmentId): string
  /** Whether its marker is on disk. */
  has(id: EnvironmentId): Promise<boolean>
}

export interface BuildOptions {
  /** Build again although a finished one exists (`--no-cache`). Runners of the old one are not disturbed. */
  readonly force?: boolean
  /** What `${NAME}` in requirements stands for. Values stay out of ids, arguments, variables, lines, errors, and files that stay. */
  readonly secrets?: SecretValues
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}
