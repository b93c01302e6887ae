import type { BlobKey, RevisionId } from '../domain/ids.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import { json, text } from './rows.ts'
import { read, sql } from './sql.ts'
import type { Read, Store } from './store.ts'

/** Answers which blobs rows name, of those whose key begins with certain hexadecimal digits. */
export async function namedBlobs(store: Store): Promise<(prefix: string) => Promise<ReadonlySet<BlobKey>>> {
  const callables = await callablesOf(store)
  return async (prefix) => {
    const bodies = await store.read(bodiesUnder(prefix))
    return new Set([...bodies, ...callables.filter((key) => key.startsWith(prefix))])
  }
}

/** The blobs that requests and results name. */
export function bodiesUnder(prefix: string): Read<readonly BlobKey[]> {
  const end = `${prefix}g`
  return read(
    sql`select blob from request_body where blob >= ${prefix} and blob < ${end}
        union
        select blob from result where blob >= ${prefix} and blob < ${end}`,
    (row) => text(row, 'blob'),
  )
}

/** A revision may hold a large schema, so not all of them stand in memory at once. */
const pageSize = 200

async function callablesOf(store: Store): Promise<readonly BlobKey[]> {
  const callables: BlobKey[] = []
  let page: readonly Callable[] = []
  do {
    page = await store.read(callablesAfter(page.at(-1)?.revisionId ?? '', pageSize))
    for (const { blob } of page) if (blob !== undefined) callables.push(blob)
  } while (page.length === pageSize)
  return callables
}

interface Callable {
  readonly revisionId: RevisionId
  readonly blob: BlobKey | undefined
}

function callablesAfter(id: RevisionId, limit: number): Read<readonly Callable[]> {
  return read(
    sql`select revision.id, revision.spec
          from revision join app on app.id = revision.app_id
         where revision.id > ${id} and revision.deleted_at is null and app.deleted_at is null
         order by revision.id
         limit ${limit}`,
    (row) => {
      const { callable } = json<RevisionSpec>(row, 'spec')
      return { revisionId: text(row, 'id'), blob: 'blob' in callable ? callable.blob : undefined }
    },
  )
}
