import { shards } from '../blobs/copy.ts'
import { blobPath, objectPath } from '../blobs/places.ts'
import { namedByRows } from '../store/blobs.ts'
import { objectFilesUnder } from '../store/objects.ts'
import type { Store } from '../store/store.ts'

/** The files that rows name, as they are called in a data folder: blobs, and what was uploaded. */
export async function* namedFiles(store: Store): AsyncGenerator<readonly string[]> {
  const { blobsUnder } = await namedByRows(store)
  for (const prefix of shards) {
    const blobs = [...(await blobsUnder(prefix))].map((key) => `blobs/${blobPath(key)}`)
    const objects = (await store.read(objectFilesUnder(prefix))).map((file) => `objects/${objectPath(file)}`)
    yield [...blobs, ...objects]
  }
}
