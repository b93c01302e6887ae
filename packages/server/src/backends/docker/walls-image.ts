import type Dockerode from 'dockerode'
import { answered } from './walls-answer.ts'

/** What an image says about who runs in it, and where that writes. */
export interface ImageWishes {
  readonly user: string
  /** Paths that it declares as volumes. */
  readonly volumes: readonly string[]
}

const mostKnown = 1_000

/** Asks the engine once for each image, which is named by its digest. Throws the engine's own error, 404 for one that is not there. */
export function createImageWishes(docker: Pick<Dockerode, 'getImage'>): (reference: string) => Promise<ImageWishes> {
  const known = new Map<string, ImageWishes>()
  return async (reference) => {
    const found = known.get(reference)
    if (found !== undefined) return found
    const { Config } = await answered(docker.getImage(reference).inspect())
    const { User = '', Volumes } = Config as { User?: string; Volumes?: Readonly<Record<string, unknown>> | null }
    const wishes = { user: User, volumes: Object.keys(Volumes ?? {}) }
    if (known.size >= mostKnown) known.clear()
    if (reference.includes('@sha256:')) known.set(reference, wishes)
    return wishes
  }
}
