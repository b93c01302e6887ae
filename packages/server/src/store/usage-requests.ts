import type { HeaderPairs } from '../domain/request.ts'
import type { Seq } from '../domain/ids.ts'
import { nothing, unitsIn, hourOf, type UsagePart } from '../domain/usage.ts'
import { json, number, optionalNumber, optionalText, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'
import { addUsage } from './usage.ts'

/** A request of the queue that is in no sum yet, or not wholly. */
export interface UncountedRequest {
  readonly seq: Seq
  /** What it adds to the sums; undefined when it has not ended, or no runner has had it. */
  readonly part?: UsagePart
  readonly hasEnded: boolean
}

const columns = `request.seq, request.state, request.app_id, request.finished_at, request.runner_id,
                 runner.revision_id, runner.machine_type, api_key.account_id as caller_id,
                 case when api_key.holder = 'person' then api_key.id end as key_id,
                 billable_units.units, result.headers`
const joins = `left join runner on runner.id = request.runner_id
               left join api_key on api_key.id = request.key_id
               left join billable_units on billable_units.request_id = request.id
               left join result on result.request_id = request.id and result.headers like '%"x-fal-billable-units"%'`

/** The next requests behind a place in the order, in that order. */
export function requestsBehind(seq: Seq, limit: number): Read<readonly UncountedRequest[]> {
  return read(
    {
      text: `select ${columns} from request ${joins} where request.seq > ? order by request.seq limit ?`,
      values: [seq, limit],
    },
    (row) => uncounted(row, false),
  )
}

/** Those before that place that were left open and have ended, or have got units. */
export function openRequests(limit: number): Read<readonly UncountedRequest[]> {
  return read(
    {
      text: `select ${columns}, usage_open.counted
               from usage_open join request on request.seq = usage_open.seq ${joins}
              where request.state = 'completed' order by usage_open.seq limit ?`,
      values: [limit],
    },
    (row) => uncounted(row, number(row, 'counted') === 1),
  )
}

/** Puts requests into the sums, and goes on to the place of the last of those behind it; what has not ended stays open. */
export function countRequests(
  { open, behind }: { readonly open: readonly UncountedRequest[]; readonly behind: readonly UncountedRequest[] },
  parts: readonly UsagePart[],
): Write<void> {
  const last = behind.at(-1)
  return write(
    [
      ...addUsage(parts),
      ...open.map(({ seq }) => sql`delete from usage_open where seq = ${seq}`),
      ...behind
        .filter(({ hasEnded }) => !hasEnded)
        .map(({ seq }) => sql`insert into usage_open (seq, counted) values (${seq}, 0)`),
      ...(last ? [sql`update usage_state set value = ${last.seq} where name = 'seq'`] : []),
    ],
    done,
  )
}

function uncounted(row: Row, isCounted: boolean): UncountedRequest {
  const seq = number(row, 'seq')
  const finishedAt = optionalNumber(row, 'finished_at')
  if (text(row, 'state') !== 'completed' || finishedAt === undefined) return { seq, hasEnded: false }
  if (row['runner_id'] === null) return { seq, hasEnded: true }
  const answered = unitsIn(unitsHeader(row))
  const reported = optionalText(row, 'units')
  const units = reported === undefined ? answered : unitsIn(reported)
  return {
    seq,
    hasEnded: true,
    part: {
      ...nothing,
      ...(isCounted ? { units: units - answered } : { requests: 1, units }),
      appId: text(row, 'app_id'),
      hour: hourOf(finishedAt),
      revisionId: optionalText(row, 'revision_id') ?? '',
      machineType: optionalText(row, 'machine_type') ?? '',
      callerId: optionalText(row, 'caller_id') ?? '',
      keyId: optionalText(row, 'key_id') ?? '',
    },
  }
}

function unitsHeader(row: Row): string | undefined {
  if (row['headers'] === null) return undefined
  return json<HeaderPairs>(row, 'headers').find(([name]) => name === 'x-fal-billable-units')?.[1]
}
