import type { App, AuthMode, DeploymentStrategy } from '../domain/app.ts'
import type { AppId, RevisionId } from '../domain/ids.ts'
import { mainEnvironment } from '../domain/names.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Moment } from '../kit/clock.ts'
import { firstWon, sql, write } from './sql.ts'
import type { Statement, Write } from './store.ts'

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
