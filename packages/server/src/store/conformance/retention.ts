import { describe, expect, test } from 'vitest'
import type { NewRequest, Outcome } from '../../domain/request.ts'
import { addTestAccount, addTestApp } from '../../testing/store.ts'
import { deleteApp, queueOfApp, updateQueue } from '../apps.ts'
import { payloadOf, resultOf, submitterOf } from '../bodies.ts'
import { addKey, revokeKey } from '../keys.ts'
import { reportUnits } from '../reports.ts'
import { acceptRequest, finishAttempt, requestById } from '../requests.ts'
import {
  dropPayloads,
  endedRequests,
  forgetRequests,
  forgetRunners,
  oldRequests,
  oldRunners,
  stepSize,
  unkeptRequests,
} from '../retention.ts'
import { addRunner, runnerById, saveRunner } from '../runners.ts'
import { done, read, sql, write } from '../sql.ts'
import type { Store } from '../store.ts'

const now = 1_800_000_000_000
const bytes = (text: string) => new TextEncoder().encode(text)

function request(id: string, appId: string, more: Partial<NewRequest> = {}): NewRequest {
  const body = { inline: bytes(`body of ${id}`) }
  const payload = { method: 'POST', path: '/path?secret=1', headers: [['a', 'b']], body, callerId: 'caller' } as const
  return { id, appId, priority: 'normal', acceptedAt: now, retry: { forbidden: false, budgets: {} }, payload, ...more }
}

const answer: Outcome = { status: 200, headers: [], body: { inline: bytes('answer') }, runnerId: 'runner-1' }

/** What is kept no longer, on whichever engine. */
export function describeRetention(store: () => Store): void {
  describe('lets go of what is old:', () => {
    let apps = 0
    const newApp = () => addTestApp(store(), { id: `kept-${(apps += 1)}`, name: `kept-${apps}` })
    const begin = (id: string, appId: string, more: Partial<NewRequest> = {}) =>
      store().commit(acceptRequest(request(id, appId, more), { runnerId: 'runner-1', now }))
    const end = (id: string, at: number) =>
      store().commit(finishAttempt({ requestId: id, attempt: 1, outcome: answer, now: at }))
    const ended = async (id: string, appId: string, at: number, more: Partial<NewRequest> = {}) => {
      await begin(id, appId, more)
      await end(id, at)
    }
    const rowsOf = (table: string, id: string) =>
      store().read({
        statement: { text: `select request_id from ${table} where request_id = ?`, values: [id] },
        result: (rows) => rows.length,
      })

    test('each app with ended requests is found, with the first of them and what its owner says', async () => {
      const [one, two, busy] = [await newApp(), await newApp(), await newApp()]
      await ended(`${one}/a`, one, now + 5)
      await ended(`${one}/b`, one, now + 3)
      await ended(`${two}/a`, two, now + 9)
      await begin(`${busy}/a`, busy)
      const was = await store().read(queueOfApp(two))
      const queue = { paused: false, fair_share: false, weights: {}, retention_days: 7 }
      await store().commit(updateQueue(two, was!, queue, now))
      await store().commit(deleteApp(two, now))
      const found = await store().read(endedRequests())
      const mine = found.filter(({ appId }) => [one, two, busy].includes(appId))
      expect(mine).toEqual([
        { appId: one, oldest: now + 3, queue: { paused: false, fair_share: false, weights: {} } },
        { appId: two, oldest: now + 9, queue },
      ])
    })

    test('a request goes with all that hangs on it, and leaves the others as they are', async () => {
      const app = await newApp()
      for (const [id, at] of [
        ['old', now + 1],
        ['new', now + 9],
      ] as const) {
        await ended(`${app}/${id}`, app, at)
        await store().commit(reportUnits(app, `${app}/${id}`, '2', now))
      }
      expect(await store().read(oldRequests(app, now + 9))).toEqual([`${app}/old`])
      expect(await store().commit(forgetRequests([`${app}/old`]))).toBe(1)
      expect(await store().read(requestById(`${app}/old`))).toBeUndefined()
      for (const table of ['request_body', 'result', 'attempt', 'billable_units'])
        expect([table, await rowsOf(table, `${app}/old`), await rowsOf(table, `${app}/new`)]).toEqual([table, 0, 1])
    })

    test('the list of what hangs on a request is whole', async () => {
      const tables = await tablesWith(store(), 'request_id')
      const app = await newApp()
      await ended(`${app}/a`, app, now)
      const texts = forgetRequests([`${app}/a`]).statements.map(({ text }) => text)
      expect(tables.filter((table) => !texts.some((text) => text.startsWith(`delete from ${table} `)))).toEqual([])
    })

    test('what has not ended is neither found nor taken away', async () => {
      const app = await newApp()
      await begin(`${app}/running`, app)
      expect(await store().read(oldRequests(app, now + 1_000))).toEqual([])
      expect(await store().commit(forgetRequests([`${app}/running`]))).toBe(0)
      expect(await store().read(requestById(`${app}/running`))).toMatchObject({ state: 'running' })
    })

    test('a step is bounded, and goes by the moment at which requests ended', async () => {
      const app = await newApp()
      const ids = Array.from({ length: stepSize + 1 }, (_, i) => `${app}/${i}`)
      await Promise.all(ids.map((id) => begin(id, app)))
      await Promise.all(ids.map((id, i) => end(id, now + ids.length - i)))
      const found = await store().read(oldRequests(app, now + 10_000))
      expect(found).toEqual(ids.toReversed().slice(0, stepSize))
      expect(await store().commit(forgetRequests(found))).toBe(stepSize)
      expect(await store().read(oldRequests(app, now + 10_000))).toEqual([ids[0]])
    })

    test('payloads that nobody wants kept go alone: who asked, when and how it ended stays', async () => {
      const app = await newApp()
      await ended(`${app}/kept`, app, now + 1)
      await ended(`${app}/unkept`, app, now + 1, { dropIo: true })
      await begin(`${app}/running`, app, { dropIo: true })
      const found = await store().read(unkeptRequests(now + 2))
      expect(found).toEqual([{ id: `${app}/unkept`, path: '/path?secret=1' }])
      expect(await store().read(unkeptRequests(now + 1))).toEqual([])
      expect(await store().commit(dropPayloads(found))).toBe(1)
      expect(await store().read(unkeptRequests(now + 2))).toEqual([])
      expect(await store().read(resultOf(`${app}/unkept`))).toBeUndefined()
      expect(await store().read(requestById(`${app}/unkept`))).toMatchObject({ state: 'completed', status: 200 })
      expect(await store().read(submitterOf(`${app}/unkept`))).toBe('caller')
      const left = await store().read(payloadOf(`${app}/unkept`))
      expect(left).toMatchObject({ path: '/path', headers: [], body: { inline: new Uint8Array() } })
      expect(await store().read(resultOf(`${app}/kept`))).toBeDefined()
    })

    test('a runner that ended goes with its key; one that lives, and keys that live, stay', async () => {
      const accountId = await addTestAccount(store(), { id: 'with-runners', nickname: 'with-runners' })
      const appId = await addTestApp(store(), { id: 'of-runners', accountId, name: 'of-runners' })
      await store().commit(
        write(
          [
            sql`insert into revision (id, app_id, account_id, spec, created_at)
                values ('of-runners', ${appId}, ${accountId}, '{}', 0)`,
          ],
          done,
        ),
      )
      for (const id of ['ended', 'alive']) {
        const key = { id: `key-${id}`, accountId, secretHash: new Uint8Array(32), permissions: ['*'] as const }
        await store().commit(addKey({ ...key, alias: '', createdAt: now, holder: 'runner' }))
        const runner = { id, appId, accountId, revisionId: 'of-runners', machineType: 'XS', createdAt: now }
        const pending = { ...runner, keyId: `key-${id}`, state: 'pending', startAt: now } as const
        await store().commit(addRunner(pending))
        if (id === 'alive') continue
        const { startAt: _, ...identity } = pending
        await store().commit(
          saveRunner('pending', { ...identity, state: 'terminated', reason: 'crash', endedAt: now + 1 }),
        )
        await store().commit(revokeKey(`key-${id}`, now + 1))
      }
      const found = (await store().read(oldRunners(now + 2))).filter(({ keyId }) => keyId?.startsWith('key-'))
      expect(found).toEqual([{ id: 'ended', keyId: 'key-ended' }])
      expect(await store().read(oldRunners(now + 1))).toEqual([])
      expect(await store().commit(forgetRunners([...found, { id: 'alive', keyId: 'key-alive' }]))).toBe(1)
      expect(await store().read(runnerById('ended'))).toBeUndefined()
      expect(await store().read(runnerById('alive'))).toBeDefined()
      const keys = read(sql`select id from api_key where account_id = ${accountId}`, (row) => row['id'])
      expect(await store().read(keys)).toEqual(['key-alive'])
    })
  })
}

/** The tables that have this column, on either engine. */
async function tablesWith(store: Store, column: string): Promise<readonly string[]> {
  const names = (text: string) =>
    store.read({ statement: { text, values: [column] }, result: (rows) => rows.map(({ name }) => String(name)) })
  return names(
    `select tables.name from sqlite_schema as tables, pragma_table_info(tables.name) as columns
      where tables.type = 'table' and columns.name = ? order by tables.name`,
  ).catch(() =>
    names(
      `select table_name as name from information_schema.columns
        where table_schema = current_schema() and column_name = ? order by table_name`,
    ),
  )
}
