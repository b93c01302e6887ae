import { ImageImport, ImageList, ImportedImage, PruneAnswer, PruneRequest, RemovedImage } from '@carrick/protocol/rest'
import type { ListedImage } from '../../system/image-list.ts'
import { importImage } from '../../system/images.ts'
import { pruneSystem } from '../../system/prune.ts'
import { listImages, removeImage } from '../../system/remove-image.ts'
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

  described('GET', '/v1/images', listImages, {
    summary: 'All images that the installation has, and which revisions need them',
    answer: ImageList,
    read: () => ({}),
    show: (images) => ({ images: images.map((image) => ({ ...shown(image), used_by: image.usedBy.map(user) })) }),
  }),

  described('DELETE', '/v1/images/:name{.+}', removeImage, {
    summary: 'Takes an image away that no revision needs. Its bytes go when the registry collects',
    answer: RemovedImage,
    read: ({ params }) => ({ name: params['name'] ?? '' }),
    show: ({ image, collectedAfterMs }) => ({ ...shown(image), collected_after_hours: collectedAfterMs / hourMs }),
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

const hourMs = 60 * 60_000

const shown = ({ kind, name, digest, bytes, createdAt }: ListedImage) => ({
  kind,
  name,
  digest: digest ?? null,
  bytes: bytes ?? null,
  created_at: createdAt === undefined ? null : new Date(createdAt).toISOString(),
})

const user = ({ app, revisionId }: ListedImage['usedBy'][number]) => ({ app, revision_id: revisionId })
