import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import type { SecretValues } from '../../domain/secret.ts'
import { masking } from '../filling.ts'
import { OneAtATime } from './one-at-a-time.ts'
import { ImagePythons } from './image-pythons.ts'
import type { ImageMakerParts, Made, MakeOptions } from './image-parts.ts'
import { ImageRun } from './image-run.ts'

/** The version of Python where a definition says none. */
const usualPython = '3.11'

/** Makes one image after the other; sharing, turns and limits are the builder's affair. */
export class ImageMaker {
  readonly #parts: ImageMakerParts
  readonly #pulls = new OneAtATime()
  readonly #pythons: ImagePythons

  constructor(parts: ImageMakerParts) {
    this.#parts = parts
    this.#pythons = new ImagePythons(parts)
  }

  /** The platform's own image for a version of Python. */
  baseFor(pythonVersion = usualPython): string {
    return this.#parts.baseImage.replaceAll('{version}', pythonVersion)
  }

  /** Builds an image, describes it, and pushes it. Until what this answers is kept, nothing of it counts; rejecting it leaves nothing. */
  async make(id: EnvironmentId, definition: EnvironmentDefinition, given: MakeOptions): Promise<Made> {
    const hidden = { ...given.secrets, ...given.buildSecrets, ...passwordsOf(given.registries) }
    const masked = masking(hidden)
    const options = { ...given, onLine: (line: string) => given.onLine(masked(line)) }
    const run = new ImageRun(id, definition, options, this.#parts, { pythons: this.#pythons, pulls: this.#pulls })
    try {
      return await run.make(this.baseFor(definition.pythonVersion))
    } catch (error) {
      await run.undo()
      if (error instanceof CarrickError)
        throw new CarrickError(error.code, masked(error.message), { cause: error.cause })
      throw error
    }
  }
}

function passwordsOf(registries: MakeOptions['registries']): SecretValues {
  return Object.fromEntries(Object.entries(registries).map(([host, { password }]) => [`registry ${host}`, password]))
}
