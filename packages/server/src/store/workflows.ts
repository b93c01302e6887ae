import type { App, AuthMode } from '../domain/app.ts'
import type { AccountId, AppId, RevisionId } from '../domain/ids.ts'
import { mainEnvironment } from '../domain/names.ts'
import type { RevisionSpec, StoredWorkflow } from '../domain/revision.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, text } from './rows.ts'
import { firstWon, read, sql, write } from './sql.ts'
import type { Read, Statement, Write } from './store.ts'

/** A workflow in a list. */
export interface ListedWorkflow {
  /** Its whole name, mark included. */
  readonly alias: string
  readonly title: string
  readonly createdAt: Moment
}

/** What is stored of a workflow when it is made or changed. */
export interface WorkflowRevision {
  readonly revisionId: RevisionId
  readonly spec: RevisionSpec & { readonly workflow: StoredWorkflow }
  readonly authMode: AuthMode
  readonly now: Moment
}

/** Makes a workflow. `false` when the account has one of that name. */
export function addWorkflow(app: Pick<App, 'id' | 'accountId' | 'name'>, first: WorkflowRevision): Write<boolean> {
  const { revisionId, spec, authMode, now } = first
  return write(
    [
      sql`insert into app (id, account_id, name, environment, kind, auth_mode, revision_id, scale, created_at, updated_at)
          values (${app.id}, ${app.accountId}, ${app.name}, ${mainEnvironment}, 'workflow', ${authMode}, ${revisionId},
                  ${spec.scale}, ${now}, ${now})
              on conflict do nothing`,
      insertRevision(app.id, first),
    ],
    firstWon,
    ['app'],
  )
}

/** Changes a workflow that is still as it was read. `false` when it was changed meanwhile or is gone. */
export function changeWorkflow(appId: AppId, was: RevisionId, next: WorkflowRevision): Write<boolean> {
  return write(
    [
      sql`update app
             set revision_id = ${next.revisionId}, auth_mode = ${next.authMode}, updated_at = ${next.now}
           where id = ${appId} and revision_id = ${was} and deleted_at is null`,
      insertRevision(appId, next),
    ],
    firstWon,
    ['app'],
  )
}

function insertRevision(appId: AppId, { revisionId, spec, now }: WorkflowRevision): Statement {
  return sql`insert into revision (id, app_id, account_id, spec, created_at)
             select ${revisionId}, id, account_id, ${spec}, ${now}
               from app
              where id = ${appId} and revision_id = ${revisionId}`
}

/** An account's workflows, newest first. */
export function workflowsOfAccount(
  accountId: AccountId,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Read<readonly ListedWorkflow[]> {
  return read(
    sql`select app.name, app.created_at, revision.spec
          from app join revision on revision.id = app.revision_id
         where app.account_id = ${accountId} and app.kind = 'workflow' and app.deleted_at is null
         order by app.created_at desc, app.id
         limit ${limit} offset ${offset}`,
    (row) => ({
      alias: text(row, 'name'),
      title: json<RevisionSpec>(row, 'spec').workflow?.title ?? '',
      createdAt: number(row, 'created_at'),
    }),
  )
}

/** How many workflows an account has. */
export function countWorkflows(accountId: AccountId): Read<number> {
  return {
    statement: sql`select count(*) as total from app
                    where account_id = ${accountId} and kind = 'workflow' and deleted_at is null`,
    result: ([row]) => Number(row?.['total'] ?? 0),
  }
}
