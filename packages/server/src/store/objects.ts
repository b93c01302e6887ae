import type { ObjectId } from '../domain/ids.ts'
import type { Acl, Part, StoredObject, Whole } from '../domain/object.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalNumber, optionalText, text } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, StatementResult, Write } from './store.ts'

/** Keeps an object that is not whole yet. */
export function addObject(object: StoredObject, now: Moment): Write<void> {
  const { id, accountId, name, contentType, acl, lifetimeMs, dropAt } = object
  return write(
    [
      sql`insert into object (id, account_id, name, content_type, acl, lifetime_ms, state, created_at, drop_at)
          values (${id}, ${accountId}, ${name}, ${contentType}, ${acl}, ${lifetimeMs}, 'open', ${now}, ${dropAt})`,
    ],
    done,
  )
}

export function objectById(id: ObjectId): Read<StoredObject | undefined> {
  return readOne(sql`select * from object where id = ${id}`, parseObject)
}

/** The parts of an object, in order. */
export function partsOf(id: ObjectId): Read<readonly Part[]> {
  return read(sql`select * from object_part where object_id = ${id} order by number`, parsePart)
}

/** Whether the object took the part, and the files that nothing names any more. */
export interface Taken {
  readonly taken: boolean
  readonly left: readonly string[]
}

/** Adds a part to an object that is not whole, in place of an earlier one of that number. */
export function putPart(id: ObjectId, part: Part): Write<Taken> {
  return write(
    [
      sql`delete from object_part
           where object_id = ${id} and number = ${part.number}
             and exists (select 1 from object where id = ${id} and state = 'open')
          returning file`,
      insertPart(id, part),
      sql`update object set version = version + 1 where id = ${id} and state = 'open'`,
    ],
    takenBy(part),
  )
}

/** Makes an object whole that has one part, in place of those that it may have. Taken only while it is not whole. */
export function putWhole(id: ObjectId, part: Part, dropAt: Moment | undefined): Write<Taken> {
  return write(
    [
      sql`delete from object_part
           where object_id = ${id} and exists (select 1 from object where id = ${id} and state = 'open')
          returning file`,
      insertPart(id, part),
      sql`update object
             set state = 'whole', length = ${part.length}, etag = ${part.etag}, drop_at = ${dropAt}, version = version + 1
           where id = ${id} and state = 'open'`,
    ],
    takenBy(part),
  )
}

export interface Completion extends Whole {
  /** Those that are no part of it. */
  readonly dropped: readonly Part[]
  /** As of when the parts were looked at. */
  readonly version: number
  readonly dropAt: Moment | undefined
}

/** Makes an object whole that has all its parts. `false` when a part came meanwhile, or it is whole or gone. */
export function completeObject(id: ObjectId, { length, etag, dropped, version, dropAt }: Completion): Write<boolean> {
  return write(
    [
      sql`update object
             set state = 'whole', length = ${length}, etag = ${etag}, drop_at = ${dropAt}
           where id = ${id} and state = 'open' and version = ${version}`,
      ...dropped.map(
        ({ file }) =>
          sql`delete from object_part
               where file = ${file}
                 and exists (select 1 from object where id = ${id} and state = 'whole' and version = ${version})`,
      ),
    ],
    firstWon,
  )
}

export function setAcl(id: ObjectId, acl: Acl): Write<boolean> {
  return write([sql`update object set acl = ${acl} where id = ${id}`], firstWon)
}

/** Some of the objects whose time has come, the longest gone first. */
export function droppedObjects(now: Moment, limit: number): Read<readonly ObjectId[]> {
  return read(
    sql`select id from object where drop_at is not null and drop_at <= ${now} order by drop_at limit ${limit}`,
    (row) => text(row, 'id'),
  )
}

/** Forgets an object whose time has come, and answers the files that it had. One that became whole meanwhile stays. */
export function dropObject(id: ObjectId, now: Moment): Write<readonly string[]> {
  return write(
    [
      sql`delete from object_part
           where object_id = ${id}
             and exists (select 1 from object where id = ${id} and drop_at is not null and drop_at <= ${now})
          returning file`,
      sql`delete from object where id = ${id} and drop_at is not null and drop_at <= ${now}`,
    ],
    filesIn,
  )
}

/** Forgets an object that no bytes have come for. */
export function forgetObject(id: ObjectId): Write<void> {
  return write(
    [
      sql`delete from object
           where id = ${id} and state = 'open' and not exists (select 1 from object_part where object_id = ${id})`,
    ],
    done,
  )
}

/** The files that objects name, of those whose name begins with certain hexadecimal digits. */
export function objectFilesUnder(prefix: string): Read<readonly string[]> {
  return read(sql`select file from object_part where file >= ${prefix} and file < ${`${prefix}g`}`, (row) =>
    text(row, 'file'),
  )
}

function insertPart(id: ObjectId, part: Part) {
  return sql`insert into object_part (object_id, number, file, length, etag)
             select id, ${part.number}, ${part.file}, ${part.length}, ${part.etag}
               from object
              where id = ${id} and state = 'open'`
}

const filesIn = ([removed]: readonly StatementResult[]): readonly string[] =>
  (removed?.rows ?? []).map((row) => text(row, 'file'))

const takenBy =
  ({ file }: Part) =>
  (results: readonly StatementResult[]): Taken => {
    const taken = results[1]?.changes === 1
    return { taken, left: taken ? filesIn(results) : [file] }
  }

function parseObject(row: Row): StoredObject {
  return {
    id: text(row, 'id'),
    accountId: text(row, 'account_id'),
    name: text(row, 'name'),
    contentType: text(row, 'content_type'),
    acl: optionalText(row, 'acl') === undefined ? undefined : json<Acl>(row, 'acl'),
    lifetimeMs: optionalNumber(row, 'lifetime_ms'),
    dropAt: optionalNumber(row, 'drop_at'),
    version: number(row, 'version'),
    whole: text(row, 'state') === 'whole' ? { length: number(row, 'length'), etag: text(row, 'etag') } : undefined,
  }
}

function parsePart(row: Row): Part {
  return {
    number: number(row, 'number'),
    file: text(row, 'file'),
    length: number(row, 'length'),
    etag: text(row, 'etag'),
  }
}
