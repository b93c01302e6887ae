import { ImageImport, ImportedImage, PruneAnswer, PruneRequest } from '@carrick/protocol/rest'
import { importImage } from '../../system/images.ts'
import { pruneSystem } from '../../system/prune.ts'
import { described } from './described.ts'

/** What whoever looks after the server does to all of it. */
export const systemRoutes = [
  described('POST', '/v1/images', importImage, {
    summary: 'Lets deploys find an image of the registry by another name, such as the base image of a Dockerfile',
    body: ImageImport,
    answer: ImportedImage,
    read: ({ body }) => body,
    show: (image) => image,
  }),

  described('POST', '/v1/system/prune', pruneSystem, {
    summary: 'Takes away what no revision, no row and no runner needs, or tells what that would be',
    body: PruneRequest,
    answer: PruneAnswer,
    read: ({ body: { dry_run, all } }) => ({ dryRun: dry_run, all }),
    show: (pruned, { body }) => ({
      dry_run: body.dry_run,
      pruned: pruned.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes ?? null })),
      bytes: pruned.reduce((sum, { bytes = 0 }) => sum + bytes, 0),
    }),
  }),
]
