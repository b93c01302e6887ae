import { CarrickError } from '../domain/errors.ts'
import type { EnvironmentId } from '../domain/ids.ts'
import type { FolderDefinition } from '../domain/revision.ts'
import type { BuildOptions } from './builder.ts'
import { clearFor, condaArguments } from './conda.ts'
import { leash } from './leash.ts'
import { findMicromamba } from './micromamba.ts'
import type { Places } from './places.ts'
import { runProgram } from './program.ts'
import { findPython } from './pythons.ts'
import { provideUv } from './uv.ts'
import { makeVenv, type Base } from './venv.ts'

const installMs = 10 * 60_000

export interface MakerParts {
  readonly places: Places
  readonly toolsFolder: string
  /** Where micromamba keeps what it downloads. */
  readonly condaFolder: string
  readonly variables: Readonly<Record<string, string>>
}

interface Interpreter {
  readonly name: string
  /** What puts it into the folder of an environment, which exists and is empty. */
  readonly baseAt: (folder: string, uv: readonly string[]) => Promise<Base>
}

/** Makes one environment after the other; sharing and limits are the builder's affair. */
export class Maker {
  readonly #parts: MakerParts
  #uv: Promise<readonly string[]> | undefined

  constructor(parts: MakerParts) {
    this.#parts = parts
  }

  /** Builds an environment in a new place. It counts from the moment at which this resolves; before, nothing is left. */
  async make(id: EnvironmentId, definition: FolderDefinition, options: BuildOptions): Promise<void> {
    const { places, variables } = this.#parts
    const { force: refresh = false, secrets = {}, onLine, signal } = options
    const interpreter = await this.#interpreterFor(definition)
    const uv = await this.#provideUv(onLine)
    signal.throwIfAborted()
    const generation = await places.newPlace(id)
    const folder = places.folderOf(id, generation)
    try {
      onLine(`Building an environment with ${interpreter.name}`)
      const base = await interpreter.baseAt(folder, uv)
      await makeVenv({ base, uv, folder, definition, secrets, refresh, variables, onLine, signal })
      await this.#sync(folder, signal)
      await places.finish(id, generation)
    } catch (error) {
      await places.remove(id, generation)
      throw isFull(error) ? diskFull(error) : error
    }
  }

  /** Where the environment's interpreter comes from. Throws what to do when it comes from nowhere. */
  async #interpreterFor(definition: FolderDefinition): Promise<Interpreter> {
    const { variables, toolsFolder, condaFolder: root } = this.#parts
    if (definition.kind === 'virtualenv') {
      const { path, version } = await findPython(definition.pythonVersion, variables)
      const args = ['venv', '--quiet', '--allow-existing', '--python', path]
      const baseAt = async (folder: string, uv: readonly string[]) => ({
        command: uv,
        args: [...args, folder],
        from: folder,
      })
      return { name: `Python ${version}`, baseAt }
    }
    const command = [...(await leash(variables)), await findMicromamba(toolsFolder, variables)]
    const baseAt = async (folder: string) => {
      const args = condaArguments(definition, { folder, root })
      return { command, args, from: await clearFor(folder) }
    }
    return { name: `Python ${definition.pythonVersion} from conda`, baseAt }
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
