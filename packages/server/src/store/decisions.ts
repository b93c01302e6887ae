import type { KeptDecision } from '../domain/decision.ts'
import type { AppId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** A decision about the runners of an app. */
export interface DecidedOf {
  readonly appId: AppId
  readonly kept: KeptDecision
}

/** Of each app on disk. */
const perApp = 20

/** Keeps decisions, and of each app the last ones alone; none of an app that was deleted. */
export function keepDecisions(decided: readonly DecidedOf[]): Write<void> {
  const apps = new Set(decided.map(({ appId }) => appId))
  return write(
    [
      ...decided.map(
        ({ appId, kept }) =>
          sql`insert into decision (app_id, first_at, kept)
              select id, ${kept.firstAt}, ${kept} from app where id = ${appId} and deleted_at is null
                  on conflict (app_id, first_at) do update set kept = excluded.kept`,
      ),
      ...Array.from(
        apps,
        (appId) =>
          sql`delete from decision
               where app_id = ${appId}
                 and first_at not in
                     (select first_at from decision where app_id = ${appId} order by first_at desc limit ${perApp})`,
      ),
    ],
    done,
  )
}

/** The decisions about an app that were first taken before then, the last one first. */
export function decisionsBefore(appId: AppId, before: Moment): Read<readonly KeptDecision[]> {
  return read(
    sql`select kept from decision where app_id = ${appId} and first_at < ${before} order by first_at desc`,
    (row) => json<KeptDecision>(row, 'kept'),
  )
}
