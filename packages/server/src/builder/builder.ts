import type { AccountId, EnvironmentId } from '../domain/ids.ts'
import type { BuiltEnvironment, EnvironmentDefinition } from '../domain/revision.ts'
import type { SecretValues } from '../domain/secret.ts'

/** Turns definitions into environments on disk. Equal definitions are built once, also when asked for at the same time. */
export interface Builder {
  /**
   * Resolves with the id of a finished environment, at once when it exists. `onLine` gets the build's output line by
   * line. Rejects with `build_failed` and the failing lines, or with `bad_request` for a Python that is not here.
   */
  build(definition: EnvironmentDefinition, options: BuildOptions): Promise<EnvironmentId>
  /** Where a finished environment is: each build of it is elsewhere. */
  placeOf(id: EnvironmentId): Promise<BuiltEnvironment>
  /** Whether its marker is on disk. */
  has(id: EnvironmentId): Promise<boolean>
}

/** An environment that may go. */
export interface UnneededEnvironment {
  readonly id: EnvironmentId
  /** On the disk, also what others share; undefined where nobody knows. */
  readonly bytes: number | undefined
}

export interface BuildOptions {
  /** Whose build it is: where builds are kept apart, those of two accounts share nothing. Absent: nobody's in particular. */
  readonly accountId?: AccountId | undefined
  /** Build again although a finished one exists (`--no-cache`). Runners of the old one are not disturbed. */
  readonly force?: boolean
  /** What `${NAME}` in requirements stands for. Values stay out of ids, arguments, variables, lines, errors, and files that stay. */
  readonly secrets?: SecretValues
  /** What build secrets of a Dockerfile hold, by their ids. As secret as the others. */
  readonly buildSecrets?: SecretValues
  /** By whom images are pulled, by host of their registry. As secret as the others. */
  readonly registries?: Readonly<Record<string, RegistryCredentials>>
  readonly onLine: (line: string) => void
  readonly signal: AbortSignal
}

export interface RegistryCredentials {
  readonly username: string
  readonly password: string
}
