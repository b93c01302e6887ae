import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent } from '../kit/logger.ts'
import type { CommitStats } from '../store/committer.ts'
import { openSqliteStore, type SqliteOptions, type SqliteStore } from '../store/sqlite/index.ts'
import { done, sql, write } from '../store/sql.ts'
import type { Store } from '../store/store.ts'

/** A real store in a folder of its own, which closing removes. `await using` closes it. */
export interface TestStore extends Store, AsyncDisposable {
  readonly file: string
  stats(): CommitStats
}

export async function openTestStore(options: Partial<SqliteOptions> = {}): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-store-'))
  const file = join(folder, 'carrick.db')
  const store = await openSqliteStore({ file, log: silent, ...options })
  return removedWhenClosed(store, file, folder)
}

function removedWhenClosed(store: SqliteStore, file: string, folder: string): TestStore {
  const close = async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
  return {
    file,
    commit: (change) => store.commit(change),
    read: (query) => store.read(query),
    onChange: (topic, listener) => store.onChange(topic, listener),
    stats: () => store.stats(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** An account, so that what belongs to it can be stored. */
export async function addTestAccount(store: Store, { id = 'account-1', nickname = 'ann' } = {}): Promise<string> {
  const insert = sql`insert into account (id, nickname, full_name, created_at) values (${id}, ${nickname}, ${nickname}, 0)`
  await store.commit(write([insert], done))
  return id
}

/** An app of an account that is there already. */
export async function addTestApp(
  store: Store,
  { id = 'app-1', accountId = 'account-1', name = 'hello' } = {},
): Promise<string> {
  const insert = sql`
    insert into app (id, account_id, name, environment, auth_mode, scale, created_at, updated_at)
    values (${id}, ${accountId}, ${name}, 'main', 'private', '{}', 0, 0)`
  await store.commit(write([insert], done))
  return id
}
