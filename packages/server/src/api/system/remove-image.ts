import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { wholeImageName } from '../../domain/image-reference.ts'
import { environmentsOfLiveRunners } from '../../store/blobs.ts'
import { forgetImage } from '../../store/environment-images.ts'
import { forgetImported } from '../../store/imported-images.ts'
import { deleteTag, manifestAt } from '../../store/registry.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { imagesOf, type ListedImage, type User } from './image-list.ts'

export interface RemovedImage {
  readonly image: ListedImage
  /** How long the registry keeps what nothing leads to. */
  readonly collectedAfterMs: number
}

/** All images that this installation has, of all accounts. */
export const listImages = operation({ permission: 'accounts:read', input: z.object({}) }, (deps) => imagesOf(deps))

/**
 * Takes an imported image or an environment's away that no undeleted revision needs: its names at once, its bytes as soon as the
 * registry collects. Refuses any other with the names of what needs it.
 */
export const removeImage = operation(
  { permission: 'accounts:write', input: z.object({ name: z.string().min(1).max(1_000) }) },
  async (deps, _caller, { name }): Promise<RemovedImage> => {
    const image = theOne(await imagesOf(deps), name)
    if (image.usedBy.length > 0) throw new CarrickError('image_in_use', neededBy(image))
    await takeAway(deps, image)
    return { image, collectedAfterMs: deps.imageGraceMs }
  },
  {
    action: 'remove_image',
    about: ({ name }, removed) => ({ subject: removed?.image.name ?? name, digest: removed?.image.digest }),
  },
)

/** So many digits of an environment's id are taken for all of it. */
const fewestDigits = 6

/** The image that is meant: by any name that means the same, by its digest, or by how the id of an environment begins. */
function theOne(images: readonly ListedImage[], asked: string): ListedImage {
  const whole = wholeImageName(asked)
  const named = images.filter(({ name }) => name === asked || name === whole)
  const isBeginning = new RegExp(`^[0-9a-f]{${fewestDigits},64}$`).test(asked)
  const isMeant = ({ kind, name, digest }: ListedImage) =>
    digest === asked || (kind === 'environment' && isBeginning && name.startsWith(asked))
  const [found, ...more] = named.length > 0 ? named : images.filter(isMeant)
  if (found !== undefined && more.length === 0) return found
  const shown = JSON.stringify(asked.slice(0, 256))
  if (found === undefined)
    throw new CarrickError('image_not_found', `There is no image ${shown} here: \`carrick image list\` shows all`)
  const names = [found, ...more].map((image) => image.name)
  throw new CarrickError('invalid_value', `${shown} may be any of ${names.join(', ')}: say more of it`)
}

const mostNamed = 5

function neededBy({ name, kind, usedBy }: ListedImage): string {
  const named = usedBy.slice(0, mostNamed).map(({ app, revisionId }: User) => `${revisionId} of ${app}`)
  const rest = usedBy.length > mostNamed ? ` and ${usedBy.length - mostNamed} more` : ''
  const count = usedBy.length === 1 ? 'a revision needs' : `${usedBy.length} revisions need`
  const why = kind === 'environment' ? 'runs in it' : 'is built on it'
  return `${name} stays: ${count} it (what ${why}): ${named.join(', ')}${rest}. Delete them first (\`fal apps delete-rev\`)`
}

async function takeAway({ store, clock, engineImages }: Deps, image: ListedImage): Promise<void> {
  const now = clock.now()
  if (image.kind === 'base')
    throw new CarrickError(
      'image_in_use',
      `${image.name} was not imported: the container engine has it, and takes it away with \`docker image rm\``,
    )
  if (image.kind === 'imported') {
    const { name, repository, digest } = image.imported
    if (!(await store.commit(forgetImported(image.imported)))) throw changed(name)
    const tag = name.slice(name.lastIndexOf(':') + 1)
    // A tag that leads elsewhere by now is somebody's push.
    if ((await store.read(manifestAt(repository, tag)))?.digest === digest)
      await store.commit(deleteTag(repository, tag, now))
    return engineImages?.forgetImported(image.imported)
  }
  if ((await store.read(environmentsOfLiveRunners())).includes(image.name))
    throw new CarrickError('image_in_use', `${image.name} stays while a runner runs in it, which is about to end`)
  if (!(await store.commit(forgetImage(image.name, now + 1)))) throw changed(image.name)
  await engineImages?.forgetEnvironment(image.image)
}

const changed = (name: string) =>
  new CarrickError('image_in_use', `${name} was asked for at this moment: look again with \`carrick image list\``)
