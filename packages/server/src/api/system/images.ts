import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { isDigest, isRepository, ownerOf } from '../../domain/image-names.ts'
import { keepImported } from '../../store/imported-images.ts'
import { manifestAt } from '../../store/registry.ts'
import { operation } from '../operation.ts'

const nameForm = /^[a-z0-9][a-zA-Z0-9._-]*(?::\d+)?(?:\/[a-z0-9][a-z0-9._-]*)+:[\w][\w.-]{0,127}$/

/**
 * From now on deploys find an image of the caller's in the registry by a name of any registry: as a reference, and as what a
 * Dockerfile begins with. For whoever looks after the server, because the name then means this to every account.
 */
export const importImage = operation(
  {
    permission: 'accounts:write',
    input: z.object({
      name: z
        .string()
        .max(255)
        .regex(nameForm, 'must be the whole name of an image: docker.io/library/python:3.11-slim'),
      repository: z.string().refine(isRepository, 'is no repository'),
      digest: z.string().refine(isDigest, 'is no digest'),
    }),
  },
  async ({ store, clock, keepInEngine }, caller, image, { signal }) => {
    const there =
      ownerOf(image.repository) === caller.nickname
        ? await store.read(manifestAt(image.repository, image.digest))
        : undefined
    if (there === undefined)
      throw new CarrickError(
        'bad_request',
        `The registry has no ${image.repository}@${image.digest} of yours: push it first`,
      )
    await store.commit(keepImported(image, clock.now()))
    await keepInEngine?.(image, signal)
    return { ...image, engine: keepInEngine !== undefined }
  },
  { action: 'import_image', about: ({ name, digest }) => ({ subject: name, digest }) },
)
