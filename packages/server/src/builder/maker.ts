import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { EnvironmentDefinition } from '../domain/revision.ts'
import type { BuildOptions } from './builder.ts'
import { leash } from './leash.ts'
import type { Places } from './places.ts'
import { runProgram } from './program.ts'
import { findPython } from './pythons.ts'
import { provideUv } from './uv.ts'
import { makeVenv } from './venv.ts'

const installMs = 10 * 60_000

export interface MakerParts {
  readonly places: Places
  readonly toolsFolder: string
  readonly variables: Readonly<Record<string, string>>
}

/** Makes one environment after the other; sharing and limits are the builder's affair. */
export class Maker {
  readonly #parts: MakerParts
  #uv: Promise<readonly string[]> | undefined

  constructor(parts: MakerParts) {
    this.#parts = parts
  }

  /** Builds an environment in a new place. It counts from the moment at which this resolves; before, nothing is left. */
  async make(id: EnvironmentId, definition: EnvironmentDefinition, options: BuildOptions): Promise<void> {
    const { places, variables } = this.#parts
    const { force: refresh = false, secrets = {}, onLine, signal } = options
    const { path: python, version } = await findPython(definition.pythonVersion, variables)
    const uv = await this.#provideUv(onLine)
    signal.throwIfAborted()
    const generation = await places.newPlace(id)
    const folder = places.folderOf(id, generation)
    try {
      onLine(`Building an environment with Python ${version}`)
      await makeVenv({ uv, python, folder, definition, secrets, refresh, variables, onLine, signal })
      await this.#sync(folder, signal)
      await places.finish(id, generation)
    } catch (error) {
      await places.remove(id, generation)
      throw isFull(error) ? diskFull(error) : error
    }
  }

  /** Looked for once. Builds that come meanwhile wait for the same; after a failure the next one tries again. */
  async #provideUv(onLine: (line: string) => void): Promise<readonly string[]> {
    this.#uv ??= this.#uvCommand(onLine)
    try {
      return await this.#uv
    } catch (error) {
      this.#uv = undefined
      throw error
    }
  }

  async #uvCommand(onLine: (line: string) => void): Promise<readonly string[]> {
    const { toolsFolder, variables } = this.#parts
    const uv = await provideUv({ toolsFolder, variables, onLine, signal: AbortSignal.timeout(installMs) })
    return [...(await leash(variables)), uv]
  }

  /** Else a power cut could leave the marker on the disk and the files not. Where it cannot be done, that risk stays. */
  async #sync(folder: string, signal: AbortSignal): Promise<void> {
    const program = { variables: this.#parts.variables, folder, onLine: () => {}, signal }
    await runProgram('sync', ['-f', folder], program).catch((error: unknown) => {
      if (signal.aborted) throw error
    })
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

function diskFull(cause: unknown): CarrickError {
  return new CarrickError('disk_full', 'The disk is full: the environment was not built. Make room and deploy again.', {
    cause,
  })
}
