import type { AccountId, BlobKey } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { number, text } from './rows.ts'
import { done, read, sql, write } from './sql.ts'
import type { Read, Row, Statement, Store, Write } from './store.ts'

/** A file that deploys of an account may name by its hash. */
export interface StoredAppFile {
  readonly hash: string
  readonly blob: BlobKey
  /** As `stat` tells it: a regular file, and who may do what with it. */
  readonly mode: number
}

interface NewAppFile extends StoredAppFile {
  readonly accountId: AccountId
  readonly now: Moment
}

/** Adds a file; one that is there already is the same one. */
export function addAppFile({ accountId, hash, blob, mode, now }: NewAppFile): Write<void> {
  return write(
    [
      sql`insert into app_file (account_id, hash, blob, mode, used_at)
          values (${accountId}, ${hash}, ${blob}, ${mode}, ${now})
              on conflict (account_id, hash) do update set used_at = excluded.used_at`,
    ],
    done,
  )
}

/** Those of these that the account has. */
export async function appFilesByHash(
  store: Pick<Store, 'read'>,
  accountId: AccountId,
  hashes: readonly string[],
): Promise<readonly StoredAppFile[]> {
  const pages = await Promise.all(pagesOf(hashes).map((page) => store.read(amongHashes(accountId, page))))
  return pages.flat()
}

function amongHashes(accountId: AccountId, page: readonly string[]): Read<readonly StoredAppFile[]> {
  const { text: where, values } = ofPage(accountId, page)
  return read({ text: `select hash, blob, mode from app_file where ${where}`, values }, parse)
}

/** Notes that a deploy named them. */
export function useAppFiles(accountId: AccountId, hashes: readonly string[], now: Moment): Write<void> {
  const statements = pagesOf(hashes).map((page): Statement => {
    const { text: where, values } = ofPage(accountId, page)
    return { text: `update app_file set used_at = ? where ${where}`, values: [now, ...values] }
  })
  return write(statements, done)
}

/** Forgets those that no deploy has named since then. Revisions that hold them keep them. */
export function forgetAppFiles(unusedSince: Moment): Write<void> {
  return write([sql`delete from app_file where used_at < ${unusedSince}`], done)
}

const pageSize = 100

/** Pages of one length, so that there is one statement: the last is filled up with what stands in it already. */
function pagesOf(hashes: readonly string[]): readonly (readonly string[])[] {
  const pages: string[][] = []
  for (let at = 0; at < hashes.length; at += pageSize) {
    const page = hashes.slice(at, at + pageSize)
    pages.push([...page, ...Array.from({ length: pageSize - page.length }, () => page[0] ?? '')])
  }
  return pages
}

function ofPage(accountId: AccountId, page: readonly string[]): Statement {
  return { text: `account_id = ? and hash in (${page.map(() => '?').join(', ')})`, values: [accountId, ...page] }
}

function parse(row: Row): StoredAppFile {
  return { hash: text(row, 'hash'), blob: text(row, 'blob'), mode: number(row, 'mode') }
}
