import { DatabaseSync } from 'node:sqlite'
import { appId } from './waiting-app.ts'

/** Puts waiting requests into a store that nobody has open, as if they had been accepted one after the other; of 1 KB if not told otherwise. */
export function fill(file: string, rows: number, app = appId, body: Uint8Array = new Uint8Array(1024)): void {
  const database = new DatabaseSync(file)
  database.exec(`
    pragma foreign_keys = off; pragma synchronous = off; begin;
    create temp table number as with recursive n (i) as (select 1 union all select i + 1 from n where i < ${rows}) select i from n;
    insert into request (id, app_id, state, priority, retry, accepted_at)
      select printf('01900000-0000-7000-8000-%012d', i), '${app}', 'waiting', 'normal', '{"forbidden":false,"budgets":{}}', i from number;
    insert into request_body (request_id, method, path, headers, caller_id, body, length)
      select printf('01900000-0000-7000-8000-%012d', i), 'POST', '/', '[["content-type","application/json"]]', 'x', x'${Buffer.from(body).toString('hex')}', ${body.byteLength} from number;
    commit;
    pragma wal_checkpoint(truncate);`)
  database.close()
}
