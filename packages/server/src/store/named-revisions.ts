import type { App } from '../domain/app.ts'
import type { RevisionId } from '../domain/ids.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import type { Moment } from '../kit/clock.ts'
import { firstWon, sql, write } from './sql.ts'
import type { Write } from './store.ts'

/**
 * Makes an app of a single revision of another: what calls that name the revision are served by. `false` when there is
 * one already, or the revision or its app is gone.
 */
export function addNamedRevision(
  { id, name, scale }: Pick<App, 'id' | 'name' | 'scale'>,
  revisionId: RevisionId,
  now: Moment,
): Write<boolean> {
  return write(
    [
      sql`insert into app (id, account_id, name, environment, auth_mode, revision_id, revision_of, scale, created_at,
                           updated_at)
          select ${id}, app.account_id, ${name}, app.environment, 'private', revision.id, app.id, ${scale}, ${now},
                 ${now}
            from revision join app on app.id = revision.app_id
           where revision.id = ${revisionId} and revision.deleted_at is null
             and app.deleted_at is null and app.revision_id is not null
              on conflict do nothing`,
    ],
    firstWon,
    ['app'],
  )
}

/**
 * Stores a revision of an app to which no calls go until somebody makes it the active one. `false` when there is no such
 * app, or none that can be called yet.
 */
export function addRevision(
  app: Pick<App, 'accountId' | 'name'>,
  { id, spec, now }: { readonly id: RevisionId; readonly spec: RevisionSpec; readonly now: Moment },
): Write<boolean> {
  return write(
    [
      sql`insert into revision (id, app_id, account_id, spec, created_at)
          select ${id}, id, account_id, ${spec}, ${now}
            from app
           where account_id = ${app.accountId} and name = ${app.name} and kind = 'app' and revision_of is null
             and revision_id is not null and deleted_at is null`,
    ],
    firstWon,
  )
}
