import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addTestAccount } from '../../testing/store.ts'
import type { CommitStats } from '../committer.ts'
import { describeRegistry } from './registry.ts'
import { describeReports } from './reports.ts'
import { describeUsage } from './usage.ts'
import { describeRollouts } from './rollouts.ts'
import { describeRequestLists } from './lists.ts'
import { describeImages } from './images.ts'
import { describeObjects } from './objects.ts'
import { describeRequests } from './requests.ts'
import { describeTimelines } from './timelines.ts'
import { describeRetention } from './retention.ts'
import { describeWebhooks } from './webhooks.ts'
import { addKey, keysOfAccount, liveKeyById, revokeOwnKey } from '../keys.ts'
import { done, read, readOne, sql, write } from '../sql.ts'
import type { Row, Store, Write } from '../store.ts'

/** A store to test, and what it counts. */
interface TestedStore extends Store {
  stats(): CommitStats
}

/** How to open an engine on an empty database. */
export type OpenStore = () => Promise<TestedStore>

const setting = (name: string, value: string): Write<void> =>
  write([sql`insert into installation (name, value) values (${name}, ${value})`], done)

const settings = (prefix: string) =>
  read(sql`select name, value from installation where name like ${`${prefix}%`} order by name`, (row) => row['value'])

/** What every engine promises. */
export function describeStore(engine: string, open: OpenStore): void {
  describe(`the store on ${engine}`, () => {
    let store: TestedStore
    beforeAll(async () => {
      store = await open()
      await addTestAccount(store)
    })
    afterAll(() => store.close())

    describeWrites(() => store)
    describeValues(() => store)
    describeRequests(() => store)
    describeReports(() => store)
    describeUsage(() => store)
    describeRollouts(() => store)
    describeTimelines(() => store)
    describeRequestLists(() => store)
    describeImages(() => store)
    describeObjects(() => store)
    describeRegistry(() => store)
    describeRetention(() => store)
    describeWebhooks(() => store)

    test('closing finishes what was handed over, and refuses what comes after', async () => {
      const closing = await open()
      const last = closing.commit(setting('last', 'written'))
      await closing.close()
      await expect(last).resolves.toBeUndefined()
      await expect(closing.commit(setting('late', 'refused'))).rejects.toMatchObject({ code: 'draining' })
      await expect(closing.read(settings('late'))).rejects.toMatchObject({ code: 'draining' })
    })
  })
}

function describeWrites(store: () => Store): void {
  test('a read sees every write that was acknowledged before it', async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      await store().commit(setting(`seen-${turn}`, 'x'))
      expect(await store().read(settings('seen-'))).toHaveLength(turn + 1)
    }
  })

  test('the statements of a write happen together or not at all', async () => {
    const half = write([...setting('half', 'x').statements, sql`insert into account (id) values ('nobody')`], done)
    await expect(store().commit(half)).rejects.toThrow(/nickname|null/i)
    expect(await store().read(settings('half'))).toEqual([])
  })

  test('a refused write is refused alone: the others of its group are stored', async () => {
    const refused = write([...setting('g-3', 'mine').statements, ...setting('g-3', 'again').statements], done)
    const group = [
      setting('g-1', '1'),
      refused,
      setting('g-2', '2'),
      write([sql`insert into nowhere values (1)`], done),
    ]
    const ended = await Promise.allSettled(group.map((one) => store().commit(one)))
    expect(ended.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(await store().read(settings('g-'))).toEqual(['1', '2'])
  })

  test('a refusal is told with the reason', async () => {
    await store().commit(setting('twice', 'x'))
    await expect(store().commit(setting('twice', 'y'))).rejects.toThrow(/unique/i)
    const foreign = sql`insert into api_key (id, account_id, secret_hash, permissions, created_at)
                        values ('k', 'nobody', ${new Uint8Array(32)}, '[]', 0)`
    await expect(store().commit(write([foreign], done))).rejects.toThrow(/foreign key/i)
  })

  test('a write answers with the rows that changed and the rows that came back', async () => {
    await store().commit(setting('r-1', 'a'))
    await store().commit(setting('r-2', 'b'))
    const change = write(
      [
        sql`update installation set value = 'c' where name like 'r-%'`,
        sql`update installation set value = 'd' where name = 'r-none'`,
        sql`update installation set value = value where name = 'r-1' returning name, value`,
      ],
      (results) => results.map(({ changes, rows }) => ({ changes, rows: rows.map((row) => ({ ...row })) })),
    )
    expect(await store().commit(change)).toEqual([
      { changes: 2, rows: [] },
      { changes: 0, rows: [] },
      { changes: 1, rows: [{ name: 'r-1', value: 'c' }] },
    ])
  })

  test('writes of one caller happen in the order they were handed over', async () => {
    const step = (value: number) =>
      write([sql`update installation set value = ${String(value)} where name = 'order'`], done)
    await store().commit(setting('order', 'start'))
    await Promise.all(Array.from({ length: 50 }, (_, value) => store().commit(step(value))))
    expect(await store().read(settings('order'))).toEqual(['49'])
  })

  test('a write without statements is answered', async () => {
    expect(await store().commit(write([], () => 'nothing to do'))).toBe('nothing to do')
  })

  test('a result that cannot be read fails its own caller only', async () => {
    const broken = write(setting('broken', 'x').statements, () => {
      throw new Error('no such column')
    })
    const ended = await Promise.allSettled([store().commit(broken), store().commit(setting('beside', 'x'))])
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })

  test('listeners hear of their topic after a commit that touched it, until they stop', async () => {
    let heard = 0
    const stop = store().onChange('app', () => (heard += 1))
    await store().commit(write([], done, ['app']))
    await store().commit(write([], done, ['runner']))
    expect(heard).toBe(1)
    await expect(store().commit(write([sql`insert into nowhere values (1)`], done, ['app']))).rejects.toThrow(/nowhere/)
    stop()
    await store().commit(write([], done, ['app']))
    expect(heard).toBe(1)
  })
}

function describeValues(store: () => Store): void {
  test('values come back as they went in', async () => {
    const text = `quotes ' " ? $1 \\ – 漢字 😀 -- not a comment`
    await store().commit(setting('text', text))
    expect(await store().read(settings('text'))).toEqual([text])

    const large = Buffer.concat([Buffer.from('slice of a larger buffer'), Buffer.from([0, 255, 13, 10])]).subarray(9)
    const key = sql`insert into api_key (id, account_id, secret_hash, permissions, created_at, revoked_at)
                    values ('values', 'account-1', ${large}, '[]', ${1_800_000_000_000}, ${undefined})`
    await store().commit(write([key], done))
    const found = await store().read(readOne(sql`select * from api_key where id = 'values'`, (row) => row))
    expect(Buffer.from(bytesOf(found, 'secret_hash'))).toEqual(large)
    expect(found).toMatchObject({ created_at: 1_800_000_000_000, revoked_at: null, alias: '' })
  })

  test('a key is for an account that is there, listed unless a runner has it, and revoked by its account alone', async () => {
    const accountId = await addTestAccount(store(), { id: 'account-keys', nickname: 'keys' })
    const made = { secretHash: new Uint8Array(32), alias: '', createdAt: 1 } as const
    const add = (id: string, holder: 'person' | 'runner', owner = accountId) =>
      store().commit(addKey({ ...made, id, accountId: owner, permissions: ['*'], holder }))
    expect(await add('key-1', 'person')).toBe(true)
    expect(await add('key-1', 'person')).toBe(false)
    expect(await add('key-2', 'runner')).toBe(true)
    expect(await add('key-3', 'person', 'nobody')).toBe(false)
    const listed = async () => (await store().read(keysOfAccount(accountId))).map(({ id }) => id)
    expect(await listed()).toEqual(['key-1'])
    expect(await store().commit(revokeOwnKey('nobody', 'key-1', 2))).toBe(false)
    expect(await store().commit(revokeOwnKey(accountId, 'key-2', 2))).toBe(false)
    expect(await store().read(liveKeyById('key-1'))).toMatchObject({ permissions: ['*'], operator: false })
    expect(await store().commit(revokeOwnKey(accountId, 'key-1', 2))).toBe(true)
    expect(await store().commit(revokeOwnKey(accountId, 'key-1', 3))).toBe(true)
    expect(await listed()).toEqual([])
  })

  test('counts, sums and comparisons are numbers', async () => {
    const counted = sql`select count(*) as n, sum(created_at) as total, 1 = 1 as yes from account where id = 'account-1'`
    expect(await store().read(readOne(counted, (row) => ({ ...row })))).toEqual({ n: 1, total: 0, yes: 1 })
  })
}

function bytesOf(row: Row | undefined, column: string): Uint8Array {
  const value = row?.[column]
  if (!(value instanceof Uint8Array)) throw new Error(`${column} holds no bytes`)
  return value
}
