import type { RevisionId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { text } from './rows.ts'
import { done, read, readOne, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** Keeps the document that a runner of a revision served. The first one stays. */
export function keepServedOpenapi(revisionId: RevisionId, document: string, now: Moment): Write<void> {
  return write(
    [
      sql`insert into served_openapi (revision_id, document, read_at)
          select id, ${document}, ${now} from revision where id = ${revisionId} and deleted_at is null
              on conflict do nothing`,
    ],
    done,
  )
}

/** The document of a revision, if a runner of it has served one: JSON. */
export function servedOpenapi(revisionId: RevisionId): Read<string | undefined> {
  return readOne(sql`select document from served_openapi where revision_id = ${revisionId}`, (row) =>
    text(row, 'document'),
  )
}

/** The documents of those revisions that have one. */
export function servedOpenapis(ids: readonly RevisionId[]): Read<readonly (readonly [RevisionId, string])[]> {
  const marks = ids.map(() => '?').join(', ') || 'null'
  return read(
    { text: `select revision_id, document from served_openapi where revision_id in (${marks})`, values: ids },
    (row) => [text(row, 'revision_id'), text(row, 'document')] as const,
  )
}
