import type { ObjectFiles } from '../object-files.ts'
import { shards } from '../copy.ts'
import { isObjectFile, newObjectFile, objectPath } from '../places.ts'
import type { Sweepable } from '../sweep.ts'
import type { Bucket } from './bucket.ts'
import { draftOf, openDrafts } from './draft.ts'
import { openResumed } from './reading.ts'
import { persistently, type Persistence } from './trouble.ts'

interface S3ObjectParts extends Omit<Persistence, 'signal'> {
  readonly bucket: Bucket
  /** For what is on its way there. Emptied at each start. */
  readonly folder: string
}

/** The bytes of uploads below `objects/` of a bucket. */
export async function openS3Objects(parts: S3ObjectParts): Promise<ObjectFiles & Sweepable> {
  const { bucket, folder } = parts
  await openDrafts(folder)
  const reach = <T>(work: () => Promise<T>): Promise<T> => persistently({ ...parts, signal: bucket.closed }, work)
  return {
    prefixes: shards,
    async put(source, limit) {
      await using draft = await draftOf(folder, source, limit)
      const file = newObjectFile()
      await reach(() => bucket.put(placeOf(file), draft))
      return { file, length: draft.length, etag: draft.md5 }
    },
    open: ({ file, start, end }) => reach(() => openResumed(bucket, placeOf(file), start, end)),
    remove: (file) => reach(() => bucket.remove(placeOf(file))),
    keysUnder: (prefix) => reach(async () => (await bucket.namesUnder(`objects/${prefix}/`)).filter(isObjectFile)),
  }
}

const placeOf = (file: string): string => `objects/${objectPath(file)}`
