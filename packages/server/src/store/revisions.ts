import type { AccountId, AppId, RevisionId } from '../domain/ids.ts'
import type { Revision, RevisionSpec } from '../domain/revision.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalNumber, optionalText, present, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** Those of the revisions that exist. */
export function revisionsById(ids: readonly RevisionId[]): Read<readonly Revision[]> {
  const marks = ids.map(() => '?').join(', ') || 'null'
  return read(
    { text: `select * from revision where id in (${marks}) and deleted_at is null`, values: ids },
    parseRevision,
  )
}

/** An app's revisions, newest first. */
export function revisionsOfApp(appId: AppId): Read<readonly Revision[]> {
  return read(
    sql`select * from revision
         where app_id = ${appId} and deleted_at is null
         order by created_at desc, id desc`,
    parseRevision,
  )
}

/** A revision, and what became of its deployments. */
export interface DeployedRevision extends Revision {
  /** When calls last began to go to it. */
  readonly deployedAt?: Moment
  /** When a deployment of it last failed, and why. */
  readonly failedAt?: Moment
  readonly failure?: string
}

/** Why a revision's deployment failed, if one did since then. */
export function failureSince(id: RevisionId, since: Moment): Read<string | undefined> {
  return readOne(sql`select failure from revision where id = ${id} and failed_at >= ${since}`, (row) =>
    text(row, 'failure'),
  )
}

/** A page of an app's revisions, newest first: those before the given one. */
export function revisionsPage(
  appId: AppId,
  { createdAt, id }: Pick<Revision, 'createdAt' | 'id'>,
  limit: number,
): Read<readonly DeployedRevision[]> {
  return read(
    sql`select * from revision
         where app_id = ${appId} and (created_at, id) < (${createdAt}, ${id})
         order by created_at desc, id desc
         limit ${limit}`,
    (row) => ({
      ...parseRevision(row),
      ...present('deployedAt', optionalNumber(row, 'deployed_at')),
      ...present('failedAt', optionalNumber(row, 'failed_at')),
      ...present('failure', optionalText(row, 'failure')),
    }),
  )
}

/** The revisions of all apps that an account has in one of its environments, newest first. */
export function revisionsOfAccount(accountId: AccountId, environment: string): Read<readonly Revision[]> {
  return read(
    sql`select revision.*
          from app join revision on revision.app_id = app.id
         where app.account_id = ${accountId} and app.environment = ${environment} and app.kind = 'app'
           and app.deleted_at is null and revision.deleted_at is null
         order by revision.created_at desc, revision.id desc`,
    parseRevision,
  )
}

/** Deletes a revision, and what served it by name. `false` when an app has it, or is being moved to it, or it is gone: then nothing happened. */
export function deleteRevision(id: RevisionId, now: Moment): Write<boolean> {
  return write(
    [
      sql`update revision
             set deleted_at = ${now}
           where id = ${id} and deleted_at is null
             and not exists (select 1 from app
                              where app.id = revision.app_id and app.deleted_at is null
                                and revision.id in (app.revision_id, app.rolling_revision_id))`,
      sql`update app
             set deleted_at = ${now}, updated_at = ${now}
           where revision_of is not null and revision_id = ${id} and deleted_at is null
             and exists (select 1 from revision where id = ${id} and deleted_at is not null)`,
      sql`delete from served_openapi
           where revision_id = ${id}
             and exists (select 1 from revision where id = ${id} and deleted_at is not null)`,
    ],
    firstWon,
    ['app'],
  )
}

/** The latest moment that was written down, give or take requests long finished: the clock starts no earlier. */
export function newestMoment(): Read<Moment> {
  return {
    statement: sql`
      with recent as (select accepted_at, started_at, finished_at from request order by seq desc limit 1000)
      select max(moment) as moment
        from (select max(created_at) as moment from account
              union all select max(updated_at) from app
              union all select max(created_at) from revision
              union all select max(deleted_at) from revision
              union all select max(created_at) from environment
              union all select max(created_at) from secret
              union all select max(created_at) from runner
              union all select max(ended_at) from runner where state = 'terminated'
              union all select max(accepted_at) from recent
              union all select max(started_at) from recent
              union all select max(finished_at) from recent) as moments`,
    result: ([row]) => Number(row?.['moment'] ?? 0),
  }
}

function parseRevision(row: Row): Revision {
  return {
    id: text(row, 'id'),
    appId: text(row, 'app_id'),
    accountId: text(row, 'account_id'),
    createdAt: number(row, 'created_at'),
    spec: json<RevisionSpec>(row, 'spec'),
  }
}
