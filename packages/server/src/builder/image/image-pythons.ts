import { join } from 'node:path'
import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentDefinition } from '../../domain/revision.ts'
import { describePython, type Described } from './describe.ts'
import { labelsOfInspection } from './names.ts'
import type { ImageMakerParts } from './image-parts.ts'

const mostRemembered = 1_000

/** Which Python images have. */
export class ImagePythons {
  readonly #parts: Pick<ImageMakerParts, 'engine' | 'programs' | 'installation'>
  /** By images' ids: what is in one never changes. */
  readonly #known = new Map<string, Described | undefined>()

  constructor(parts: Pick<ImageMakerParts, 'engine' | 'programs' | 'installation'>) {
    this.#parts = parts
  }

  /** The first of these programs that is there; nothing where none is. */
  async of(image: string, programs: readonly string[], signal: AbortSignal): Promise<Described | undefined> {
    const { engine, programs: folder, installation } = this.#parts
    const key = `${image} ${programs.join(' ')}`
    if (this.#known.has(key)) return this.#known.get(key)
    const asked = { script: join(folder, 'describe.py'), programs, labels: labelsOfInspection(installation), signal }
    const described = await describePython(engine, image, asked)
    if (this.#known.size >= mostRemembered) this.#known.clear()
    this.#known.set(key, described)
    return described
  }
}

/** By which names an interpreter is looked for in an image. */
export function programsFor({ pythonVersion }: EnvironmentDefinition): readonly string[] {
  return [...(pythonVersion === undefined ? [] : [`python${pythonVersion}`]), 'python3', 'python']
}

/** Throws `build_failed` for an image whose Python is another than was asked for: pickles are read by the minor version that wrote them. */
export function checkVersion(
  { pythonVersion: wanted, kind }: EnvironmentDefinition,
  found: Described | undefined,
  name: string,
): void {
  if (wanted === undefined || kind === 'conda' || found?.version.startsWith(`${wanted}.`) === true) return
  const there = found === undefined ? 'no Python' : `Python ${found.version}`
  const which = kind === 'virtualenv' ? `base image (CARRICK_BASE_IMAGE, here ${name})` : 'image'
  throw new CarrickError(
    'build_failed',
    `Python ${wanted} was asked for, and the ${which} has ${there}: use an image with Python ${wanted}, or deploy with the version that the image has`,
  )
}
