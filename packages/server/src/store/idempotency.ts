import type { AppId, RequestId, Seq } from '../domain/ids.ts'
import type { NewRequest } from '../domain/request.ts'
import { text } from './rows.ts'
import { acceptance, type FirstSlot } from './requests.ts'
import { onlyWhere, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** The name that a caller gave a submit, and what it was a name of: SHA-256 of method, path and body, hex. */
export interface IdempotencyKey {
  readonly key: string
  readonly fingerprint: string
}

/** Whose names are told apart: those of each caller of each app. */
interface Whose {
  readonly appId: AppId
  readonly callerId: string
}

/** The request that had the name first. */
export interface Earlier {
  readonly requestId: RequestId
  readonly fingerprint: string
}

/**
 * Accepts a request unless its caller has named one of the app so before: then nothing is stored, and that one is the
 * answer. Of two at the same moment, the first of the commit is the one.
 */
export function acceptOnce(request: NewRequest, name: IdempotencyKey, slot?: FirstSlot): Write<Seq | Earlier> {
  const { id, appId, payload } = request
  const mine = sql`exists (select 1 from idempotency_key where request_id = ${id})`
  return write(
    [
      // Changes nothing where the name is taken, and gives the row that has it.
      sql`insert into idempotency_key (app_id, caller_id, key, fingerprint, request_id)
          values (${appId}, ${payload.callerId}, ${name.key}, ${name.fingerprint}, ${id})
              on conflict (app_id, caller_id, key) do update set fingerprint = idempotency_key.fingerprint
          returning request_id, fingerprint`,
      ...acceptance(request, slot).map((insert) => onlyWhere(insert, mine)),
    ],
    ([named, accepted]) => {
      const seq = accepted?.rows[0]?.['seq']
      return seq === undefined ? earlier(named?.rows[0] ?? {}) : Number(seq)
    },
  )
}

/** The request that its caller has named so; undefined when there is none. */
export function requestNamed({ appId, callerId }: Whose, key: string): Read<Earlier | undefined> {
  return readOne(
    sql`select request_id, fingerprint from idempotency_key
         where app_id = ${appId} and caller_id = ${callerId} and key = ${key}`,
    earlier,
  )
}

function earlier(row: Row): Earlier {
  return { requestId: text(row, 'request_id'), fingerprint: text(row, 'fingerprint') }
}
