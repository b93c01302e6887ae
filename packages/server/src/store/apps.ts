import type { App, AuthMode, DeploymentStrategy } from '../domain/app.ts'
import type { AccountId, AppId, EnvironmentId, RevisionId } from '../domain/ids.ts'
import { mainEnvironment } from '../domain/names.ts'
import { queueDefaults, type QueueSettings } from '../domain/queue-settings.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalText, present, text } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Statement, Write } from './store.ts'

/** The next revision of an app, and what changes with it. */
export interface NextRevision {
  readonly revisionId: RevisionId
  readonly strategy: DeploymentStrategy
  readonly scale: ScaleSettings
  /** The live settings that `scale` was worked out from: the write happens only while they stand. */
  readonly basedOn: ScaleSettings
  /** Absent: stays as it is. */
  readonly authMode?: AuthMode
  /** From `takeTurn`, when the change began: later ones win. Absent where nobody else changes the app. */
  readonly turn?: number
  readonly now: Moment
}

/**
 * Takes the next turn to change the revision of one of an account's apps. What began later wins, whichever is ready
 * first: a write with an earlier turn than the app has seen changes nothing.
 */
export function takeTurn(accountId: AccountId): Write<number> {
  return write(
    [sql`update account set deploy_turn = deploy_turn + 1 where id = ${accountId} returning deploy_turn`],
    ([taken]) => Number(taken?.rows[0]?.['deploy_turn'] ?? 0),
  )
}

/** Every app that was not deleted, also those whose first rolling deploy is under way. */
export function allApps(): Read<readonly App[]> {
  return read(
    sql`select app.*, account.nickname as owner
          from app join account on account.id = app.account_id
         where app.deleted_at is null
         order by app.created_at, app.id`,
    parseApp,
  )
}

/** What apps are called, also those that were deleted. */
export function appNames(ids: readonly AppId[]): Read<ReadonlyMap<AppId, string>> {
  const names = ids.map(() => '?').join(', ') || 'null'
  return {
    statement: { text: `select id, name from app where id in (${names})`, values: ids },
    result: (rows) => new Map(rows.map((row) => [text(row, 'id'), text(row, 'name')])),
  }
}

/** An app of this account by its whole name, unless it was deleted. */
export function appByName(accountId: AccountId, name: string): Read<App | undefined> {
  return readOne(
    sql`select app.*, account.nickname as owner
          from app join account on account.id = app.account_id
         where app.account_id = ${accountId} and app.name = ${name} and app.kind = 'app'
           and app.revision_of is null and app.deleted_at is null`,
    parseApp,
  )
}

/** What a deploy was built for before it is registered. */
export interface BegunDeploy {
  readonly accountId: AccountId
  /** The whole name of the app. */
  readonly name: string
  readonly environmentId: EnvironmentId
}

const forgottenAfterMs = 24 * 60 * 60_000

/** Notes with which turn a deploy has begun whose environment is ready now. Those of yesterday are forgotten. */
export function noteBegun({ accountId, name, environmentId }: BegunDeploy, turn: number, now: Moment): Write<void> {
  return write(
    [
      sql`delete from begun_deploy where account_id = ${accountId} and begun_at < ${now - forgottenAfterMs}`,
      sql`insert into begun_deploy (account_id, app_name, environment_id, turn, begun_at)
          values (${accountId}, ${name}, ${environmentId}, ${turn}, ${now})
              on conflict (account_id, app_name, environment_id)
              do update set turn = excluded.turn, begun_at = excluded.begun_at
                      where begun_deploy.turn < excluded.turn`,
    ],
    done,
  )
}

/** The turn with which the newest deploy of this environment has begun. */
export function begunTurn({ accountId, name, environmentId }: BegunDeploy): Read<number | undefined> {
  return readOne(
    sql`select turn from begun_deploy
         where account_id = ${accountId} and app_name = ${name} and environment_id = ${environmentId}`,
    (row) => number(row, 'turn'),
  )
}

/** The turn of the last change that reached an app, by its whole name; undefined where there is no such app. */
export function lastTurn(accountId: AccountId, name: string): Read<number | undefined> {
  return readOne(
    sql`select turn from app where account_id = ${accountId} and name = ${name} and deleted_at is null`,
    (row) => number(row, 'turn'),
  )
}

/**
 * Stores a revision and makes it the app's next one; an app that does not exist yet is made. Recreate moves the app at
 * once, rolling names the revision as the one to bring up: an older rolling deploy is superseded. `false` when somebody
 * else made or changed the app meanwhile, a change of a later turn was there first, or its environment is gone: then
 * nothing happened.
 */
export function registerRevision(
  app: Pick<App, 'id' | 'accountId' | 'name' | 'environment'>,
  spec: RevisionSpec,
  next: NextRevision & { readonly authMode: AuthMode },
): Write<boolean> {
  return write(
    [
      sql`insert into app (id, account_id, name, environment, auth_mode, scale, created_at, updated_at)
          select ${app.id}, id, ${app.name}, ${app.environment}, ${next.authMode},
                 ${next.basedOn}, ${next.now}, ${next.now}
            from account
           where id = ${app.accountId}
             and (${app.environment} = ${mainEnvironment}
                  or exists (select 1 from environment
                              where account_id = ${app.accountId} and name = ${app.environment}))
              on conflict do nothing`,
      setNext(app.id, next),
      sql`insert into revision (id, app_id, account_id, spec, created_at, deployed_at)
          select ${next.revisionId}, id, account_id, ${spec}, ${next.now},
                 case when revision_id = ${next.revisionId} then app.updated_at end
            from app
           where id = ${app.id} and ${next.revisionId} in (revision_id, rolling_revision_id)`,
    ],
    ([, moved]) => moved?.changes === 1,
    ['app'],
  )
}

/** Makes a stored revision the app's next one. `false` when the app was changed meanwhile, or one of the two is gone. */
export function setNextRevision(appId: AppId, next: NextRevision): Write<boolean> {
  const move = setNext(appId, next)
  const stored = sql` and exists (select 1 from revision
                                   where id = ${next.revisionId} and app_id = ${appId} and deleted_at is null)`
  const statement = { text: move.text + stored.text, values: [...move.values, ...stored.values] }
  const deployed = sql`update revision
                          set deployed_at = ${next.now}
                        where id = ${next.revisionId}
                          and exists (select 1 from app where id = ${appId} and revision_id = ${next.revisionId}
                                         and updated_at = ${next.now})`
  return write([statement, deployed], firstWon, ['app'])
}

/**
 * Ends a rolling deploy well: the revision becomes the active one, with the settings that were kept for it. `scale`
 * counts only where none were. `false` when another revision is being brought up, or none.
 */
export function switchRevision(
  appId: AppId,
  to: RevisionId,
  scale: ScaleSettings | undefined,
  now: Moment,
): Write<boolean> {
  return write(
    [
      sql`update app
             set revision_id = rolling_revision_id, rolling_revision_id = null,
                 scale = coalesce(rolling_scale, ${scale}, scale), rolling_scale = null,
                 auth_mode = coalesce(rolling_auth_mode, auth_mode), rolling_auth_mode = null, updated_at = ${now}
           where id = ${appId} and rolling_revision_id = ${to} and deleted_at is null`,
      sql`update revision
             set deployed_at = ${now}
           where id = ${to} and exists (select 1 from app where id = ${appId} and revision_id = ${to})`,
    ],
    firstWon,
    ['app'],
  )
}

/**
 * Ends a rolling deploy whose first runner failed: the app stays as it was, and one that never had a revision is
 * deleted. Why stays with the revision. `false` when it is no longer the one being brought up.
 */
export function abortRolling(appId: AppId, revisionId: RevisionId, now: Moment, why = ''): Write<boolean> {
  return write(
    [
      sql`update revision
             set failed_at = ${now}, failure = ${why}
           where id = ${revisionId}
             and exists (select 1 from app where id = ${appId} and rolling_revision_id = ${revisionId})`,
      sql`update app
             set rolling_revision_id = null, rolling_scale = null, rolling_auth_mode = null, updated_at = ${now},
                 deleted_at = case when revision_id is null then ${now} else deleted_at end
           where id = ${appId} and rolling_revision_id = ${revisionId}`,
    ],
    ([, aborted]) => aborted?.changes === 1,
    ['app'],
  )
}

/**
 * Changes the live settings, and those that a rolling deploy will bring. `false` when either is no longer what
 * `was` says.
 */
export function updateScale(
  was: App,
  scale: ScaleSettings,
  rollingScale: ScaleSettings | undefined,
  now: Moment,
): Write<boolean> {
  return write(
    [
      sql`update app
             set scale = ${scale}, rolling_scale = ${rollingScale}, updated_at = ${now}
           where id = ${was.id} and deleted_at is null and scale = ${was.scale}
             and coalesce(rolling_scale, '') = ${was.rollingScale ?? ''}`,
    ],
    firstWon,
    ['app'],
  )
}

/** What the owner set of an app's queue, as it is stored; undefined while that is nothing. */
export interface StoredQueue {
  readonly text: string | undefined
  readonly queue: QueueSettings
}

/** Of an app that was not deleted. */
export function queueOfApp(appId: AppId): Read<StoredQueue | undefined> {
  return readOne(sql`select queue from app where id = ${appId} and deleted_at is null`, (row) => ({
    text: optionalText(row, 'queue'),
    queue: queueIn(row),
  }))
}

/** Changes the queue's settings. `false` when they are no longer what `was` says, or the app is gone. */
export function updateQueue(
  appId: AppId,
  was: Pick<StoredQueue, 'text'>,
  queue: QueueSettings,
  now: Moment,
): Write<boolean> {
  return write(
    [
      sql`update app
             set queue = ${queue}, updated_at = ${now}
           where id = ${appId} and deleted_at is null and coalesce(queue, '') = ${was.text ?? ''}`,
    ],
    firstWon,
    ['app'],
  )
}

/**
 * Deletes an app, and what served its revisions by name: its name is free again, its revisions and runners stay on
 * record. `false` when it was gone.
 */
export function deleteApp(appId: AppId, now: Moment): Write<boolean> {
  return write(
    [
      sql`update app
             set deleted_at = ${now}, updated_at = ${now}, rolling_revision_id = null, rolling_scale = null,
                 rolling_auth_mode = null
           where id = ${appId} and deleted_at is null`,
      sql`update app set deleted_at = ${now}, updated_at = ${now} where revision_of = ${appId} and deleted_at is null`,
      sql`delete from decision where app_id = ${appId} or app_id in (select id from app where revision_of = ${appId})`,
    ],
    firstWon,
    ['app'],
  )
}

function setNext(appId: AppId, next: NextRevision): Statement {
  const { revisionId, strategy, scale, basedOn, authMode, turn, now } = next
  const [atOnce, later] =
    strategy === 'recreate' ? [{ revisionId, scale, authMode }, {}] : [{}, { revisionId, scale, authMode }]
  return sql`update app
                set revision_id = coalesce(${atOnce.revisionId}, revision_id),
                    scale = coalesce(${atOnce.scale}, scale),
                    auth_mode = coalesce(${atOnce.authMode}, auth_mode),
                    rolling_revision_id = ${later.revisionId},
                    rolling_scale = ${later.scale},
                    rolling_auth_mode = ${later.authMode},
                    turn = coalesce(${turn}, turn),
                    updated_at = ${now}
              where id = ${appId} and deleted_at is null and scale = ${basedOn}
                and turn <= coalesce(${turn}, turn)`
}

function parseApp(row: Row): App {
  const revisionId = optionalText(row, 'revision_id')
  const rollingRevisionId = optionalText(row, 'rolling_revision_id')
  return {
    id: text(row, 'id'),
    accountId: text(row, 'account_id'),
    owner: text(row, 'owner'),
    name: text(row, 'name'),
    environment: text(row, 'environment'),
    authMode: authModeOf(text(row, 'auth_mode')),
    ...(revisionId === undefined ? {} : { revisionId }),
    scale: json<ScaleSettings>(row, 'scale'),
    queue: queueIn(row),
    ...(rollingRevisionId === undefined ? {} : { rollingRevisionId }),
    ...(row['rolling_scale'] === null ? {} : { rollingScale: json<ScaleSettings>(row, 'rolling_scale') }),
    ...present('revisionOf', optionalText(row, 'revision_of')),
    createdAt: number(row, 'created_at'),
    updatedAt: number(row, 'updated_at'),
  }
}

/** Rows of an older version say nothing of what came later. */
export const queueIn = (row: Row): QueueSettings => ({
  ...queueDefaults,
  ...(row['queue'] === null ? {} : json<Partial<QueueSettings>>(row, 'queue')),
})

const authModeOf = (mode: string): AuthMode => (mode === 'public' || mode === 'shared' ? mode : 'private')
