import type { EnvironmentId, RevisionId } from '../domain/ids.ts'
import type { EnvironmentDefinition, RevisionSpec } from '../domain/revision.ts'
import { json, number, text } from './rows.ts'
import { read, readOne, sql } from './sql.ts'
import type { Read, Store } from './store.ts'

/** An undeleted revision, and what it runs in. */
export interface ImageUser {
  readonly revisionId: RevisionId
  /** `owner/name`. */
  readonly app: string
  readonly environmentId: EnvironmentId
  readonly environment: EnvironmentDefinition
}

/** A revision may hold a large schema: to read a page stops the server for a moment, which must be a short one. */
const pageSize = 50

/** Goes through the undeleted revisions of all accounts. */
export async function* imageUsers(store: Pick<Store, 'read'>): AsyncGenerator<ImageUser> {
  let page: readonly ImageUser[] = []
  do {
    page = await store.read(usersAfter(page.at(-1)?.revisionId ?? '', pageSize))
    yield* page
  } while (page.length === pageSize)
}

function usersAfter(id: RevisionId, limit: number): Read<readonly ImageUser[]> {
  return read(
    sql`select revision.id, revision.spec, app.name, account.nickname
          from revision
          join app on app.id = revision.app_id
          join account on account.id = app.account_id
         where revision.id > ${id} and revision.deleted_at is null and app.deleted_at is null
         order by revision.id
         limit ${limit}`,
    (row) => {
      const { environmentId, environment } = json<RevisionSpec>(row, 'spec')
      const app = `${text(row, 'nickname')}/${text(row, 'name')}`
      return { revisionId: text(row, 'id'), app, environmentId, environment }
    },
  )
}

/** How many bytes an image of the registry is, with all that its manifest leads to; undefined where the repository has none of that digest. */
export function imageBytes(repository: string, digest: string): Read<number | undefined> {
  return readOne(
    sql`with recursive part (digest) as (
          select digest from registry_manifest where repository = ${repository} and digest = ${digest}
          union
          select registry_reference.manifest_digest
            from part join registry_reference
              on registry_reference.repository = ${repository} and registry_reference.manifest = part.digest
           where registry_reference.manifest_digest is not null
        )
        select sum(length) as bytes
          from (select length from registry_manifest
                 where repository = ${repository} and digest in (select digest from part)
                 union all
                select length from registry_blob
                 where repository = ${repository}
                   and digest in (select blob_digest from registry_reference
                                   where repository = ${repository} and manifest in (select digest from part))) as piece
        having count(*) > 0`,
    (row) => number(row, 'bytes'),
  )
}
