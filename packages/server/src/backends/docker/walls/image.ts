import type Dockerode from 'dockerode'
import { filesIn } from '../engine/image-files.ts'
import { answered } from './answer.ts'

/** What an image says about who runs in it, and where that writes. */
export interface ImageWishes {
  /** Whom it names; nobody where that is root, by whatever name. */
  readonly user: string
  /** Paths that it declares as volumes. */
  readonly volumes: readonly string[]
}

const mostKnown = 1_000

/** Asks the engine once for each image, which is named by its digest. Throws the engine's own error, 404 for one that is not there. */
export function createImageWishes(
  docker: Pick<Dockerode, 'getImage' | 'createContainer'>,
  labels: Readonly<Record<string, string>>,
): (reference: string) => Promise<ImageWishes> {
  async function isRoot(user: string, reference: string): Promise<boolean> {
    if (user === '') return true
    const [users = ''] = await answered(filesIn(docker, reference, ['/etc/passwd'], labels))
    return uidOf(user, users) === 0
  }
  const known = new Map<string, ImageWishes>()
  return async (reference) => {
    const found = known.get(reference)
    if (found !== undefined) return found
    const { Config } = await answered(docker.getImage(reference).inspect())
    const { User = '', Volumes } = Config as { User?: string; Volumes?: Readonly<Record<string, unknown>> | null }
    const user = (await isRoot(User, reference)) ? '' : User
    const wishes = { user, volumes: Object.keys(Volumes ?? {}) }
    if (known.size >= mostKnown) known.clear()
    if (reference.includes('@sha256:')) known.set(reference, wishes)
    return wishes
  }
}

/**
 * Who a USER is by number, as engines find it out: the first line of the image's `/etc/passwd` that has it as its name, or as
 * its number, else the number itself. Root where it cannot be told: whoever is not found is not believed to be harmless.
 */
export function uidOf(user: string, users: string): number {
  const [wanted = ''] = user.split(':')
  const number = /^[+-]?\d+$/.test(wanted) ? Number(wanted) : undefined
  const line = users
    .split('\n')
    .map((each) => each.trim().split(':'))
    .find(([name, , uid]) => name === wanted || (number !== undefined && Number(uid) === number))
  return Number(line?.[2] ?? number ?? 0) || 0
}
