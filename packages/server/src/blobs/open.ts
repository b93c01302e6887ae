import { mkdir } from 'node:fs/promises'
import type { Logger } from '../kit/logger.ts'
import { openLocalBlobs, type LocalBlobs } from './local-blobs.ts'
import { openObjectFiles, type ObjectFiles } from './object-files.ts'
import type { S3Options } from './s3/options.ts'
import type { S3Blobs } from './s3/s3-blobs.ts'
import type { Sweepable } from './sweep.ts'
import { noteWhereabouts, requireWhereabouts } from './whereabouts.ts'

/** Where large bytes are kept: blobs, and the files of uploads. */
export interface Storage {
  readonly blobs: LocalBlobs | S3Blobs
  readonly objects: ObjectFiles & Sweepable
  close(): void
}

interface StorageParts {
  readonly folder: { readonly blobs: string; readonly objects: string; readonly outgoing: string }
  readonly installation: string
  /** Without them the data folder keeps everything. */
  readonly s3: S3Options | undefined
  readonly log: Logger
}

/** Opens what is set. The client of S3 is loaded only where it is used. Throws a sentence when it cannot be used. */
export async function openStorage({ folder, installation, s3, log }: StorageParts): Promise<Storage> {
  await requireWhereabouts(folder, s3?.address ?? '')
  if (s3 === undefined) {
    const blobs = await openLocalBlobs({ folder: folder.blobs })
    return { blobs, objects: await openObjectFiles({ folder: folder.objects }), close: () => {} }
  }
  const { openS3Storage } = await import('./s3/index.ts')
  const storage = await openS3Storage({ options: s3, installation, folder: folder.outgoing, log })
  await mkdir(folder.blobs, { recursive: true })
  await noteWhereabouts(folder, s3.address)
  return storage
}
