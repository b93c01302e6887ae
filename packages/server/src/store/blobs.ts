import type { BlobKey, EnvironmentId, RevisionId } from '../domain/ids.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import { json, text } from './rows.ts'
import { read, sql } from './sql.ts'
import type { Read, Store } from './store.ts'

/** Answers which blobs rows name, of those whose key begins with certain hexadecimal digits. */
export async function namedBlobs(store: Store): Promise<(prefix: string) => Promise<ReadonlySet<BlobKey>>> {
  return (await namedByRows(store)).blobsUnder
}

/** What rows name that is no row: blobs, by what their keys begin with, and environments. */
export async function namedByRows(store: Store): Promise<{
  readonly blobsUnder: (prefix: string) => Promise<ReadonlySet<BlobKey>>
  readonly environments: ReadonlySet<EnvironmentId>
}> {
  const { blobs, environments } = await namedByRevisions(store)
  return {
    environments,
    blobsUnder: async (prefix) => {
      const bodies = await store.read(bodiesUnder(prefix))
      return new Set([...bodies, ...blobs.filter((key) => key.startsWith(prefix))])
    },
  }
}

/** The blobs that requests, results, uploaded app files and the images of the registry name. */
export function bodiesUnder(prefix: string): Read<readonly BlobKey[]> {
  const end = `${prefix}g`
  return read(
    sql`select blob from request_body where blob >= ${prefix} and blob < ${end}
        union
        select blob from result where blob >= ${prefix} and blob < ${end}
        union
        select blob from app_file where blob >= ${prefix} and blob < ${end}
        union
        select blob from registry_blob where blob >= ${prefix} and blob < ${end}
        union
        select blob from registry_manifest where blob >= ${prefix} and blob < ${end}`,
    (row) => text(row, 'blob'),
  )
}

/** A revision may hold a large schema: to read a page stops the server for a moment, which must be a short one. */
const pageSize = 50

async function namedByRevisions(store: Store) {
  const blobs = new Set<BlobKey>()
  const environments = new Set<EnvironmentId>()
  let page: readonly Named[] = []
  do {
    page = await store.read(namedAfter(page.at(-1)?.revisionId ?? '', pageSize))
    for (const named of page) {
      for (const blob of named.blobs) blobs.add(blob)
      environments.add(named.environmentId)
    }
  } while (page.length === pageSize)
  return { blobs: [...blobs], environments }
}

interface Named {
  readonly revisionId: RevisionId
  readonly blobs: readonly BlobKey[]
  readonly environmentId: EnvironmentId
}

function namedAfter(id: RevisionId, limit: number): Read<readonly Named[]> {
  return read(
    sql`select revision.id, revision.spec
          from revision join app on app.id = revision.app_id
         where revision.id > ${id} and revision.deleted_at is null and app.deleted_at is null
         order by revision.id
         limit ${limit}`,
    (row) => {
      const { callable, files = [], environment, environmentId } = json<RevisionSpec>(row, 'spec')
      const pickles = 'blob' in callable ? [callable.blob] : []
      const context =
        environment.kind === 'container' && environment.source.from === 'dockerfile' ? environment.source.context : []
      const blobs = [...pickles, ...[...files, ...context].map(({ blob }) => blob)]
      return { revisionId: text(row, 'id'), environmentId, blobs }
    },
  )
}

/** The environments that runners have which live, also of apps and revisions that were deleted. */
export function environmentsOfLiveRunners(): Read<readonly EnvironmentId[]> {
  return read(
    sql`select spec from revision
         where id in (select revision_id from runner where state <> 'terminated')`,
    (row) => json<RevisionSpec>(row, 'spec').environmentId,
  )
}
