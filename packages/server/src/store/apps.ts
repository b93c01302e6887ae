import type { App, AuthMode } from '../domain/app.ts'
import type { AccountId, AppId } from '../domain/ids.ts'
import { queueDefaults, type QueueSettings } from '../domain/queue-settings.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalNumber, optionalText, present, text } from './rows.ts'
import { firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

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

/** Says after how much idleness an app's runners are frozen; null: as the installation says. `false` when the app is gone. */
export function setFreezeAfter(appId: AppId, seconds: number | null, now: Moment): Write<boolean> {
  return write(
    [sql`update app set freeze_after = ${seconds}, updated_at = ${now} where id = ${appId} and deleted_at is null`],
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
    ...present('freezeAfter', optionalNumber(row, 'freeze_after')),
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
