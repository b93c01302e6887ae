import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { BlobKey } from '../domain/ids.ts'
import { silent, type Logger } from '../kit/logger.ts'
import { deleteApp } from '../store/apps.ts'
import { bodiesUnder, namedBlobs } from '../store/blobs.ts'
import { acceptRequest, finishAttempt } from '../store/requests.ts'
import { deleteRevision } from '../store/revisions.ts'
import { done, sql, write } from '../store/sql.ts'
import { addTestAccount, addTestApp, openTestStore } from '../testing/store.ts'
import { openLocalBlobs } from './local-blobs.ts'
import { discardBlobs, sweepBlobs } from './sweep.ts'

async function openWorld() {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-sweep-'))
  const store = await openTestStore()
  await addTestAccount(store)
  await addTestApp(store)
  const blobs = await openLocalBlobs({ folder })
  onTestFinished(async () => {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })
  const put = async (content: string) => await blobs.put(Buffer.from(content))
  const there = async () => {
    const all = await Promise.all(blobs.prefixes.map((prefix) => blobs.keysUnder(prefix)))
    return all.flat().toSorted()
  }
  return { folder, store, blobs, put, there }
}

type World = Awaited<ReturnType<typeof openWorld>>

async function addRequest({ store }: World, id: string, { key, length }: { key: BlobKey; length: number }) {
  const payload = { method: 'POST', path: '/', headers: [], body: { blob: key, length }, callerId: 'caller' }
  const retry = { forbidden: false, budgets: {} }
  const request = { id, appId: 'app-1', priority: 'normal' as const, acceptedAt: 1, retry, payload }
  await store.commit(acceptRequest(request, { runnerId: 'runner-1', now: 1 }))
}

async function addRevision({ store }: World, id: string, blob: BlobKey) {
  const environment = { kind: 'virtualenv', pythonVersion: '3.11', layers: [], compileBytecode: false }
  const spec = { callable: { method: 'dill', blob }, environment }
  const insert = sql`insert into revision (id, app_id, account_id, spec, created_at)
                     values (${id}, 'app-1', 'account-1', ${spec}, 1)`
  await store.commit(write([insert], done))
}

async function sweep({ blobs, store }: World, log: Logger = silent) {
  await sweepBlobs({ blobs, namedUnder: await namedBlobs(store), log })
}

test('what a revision, a request or a result names stays, and the rest goes', async () => {
  const world = await openWorld()
  const [pickle, question, answer] = await Promise.all(['pickle', 'question', 'answer'].map(world.put))
  await Promise.all(Array.from({ length: 300 }, (_, i) => world.put(`stray ${i}`)))
  await Promise.all(Array.from({ length: 450 }, (_, i) => addRevision(world, `revision-${i}`, pickle!.key)))
  await addRevision(world, 'the-last', pickle!.key)
  await addRequest(world, 'one', question!)
  const outcome = { status: 200, headers: [], body: { blob: answer!.key, length: answer!.length } }
  await world.store.commit(finishAttempt({ requestId: 'one', attempt: 1, outcome, now: 2 }))
  await sweep(world)
  expect(await world.there()).toEqual([pickle!.key, question!.key, answer!.key].toSorted())
})

test('a callable far behind in the list of revisions stays', async () => {
  const world = await openWorld()
  const old = await world.put('old')
  const pickle = await world.put('pickle')
  for (let i = 100; i < 320; i += 1) await addRevision(world, `revision-${i}`, old.key)
  await addRevision(world, 'revision-999', pickle.key)
  await sweep(world)
  expect(await world.there()).toEqual([old.key, pickle.key].toSorted())
})

test('what only a deleted revision names goes', async () => {
  const world = await openWorld()
  const [old, shared] = await Promise.all(['old', 'shared'].map(world.put))
  await addRevision(world, 'gone', old!.key)
  await addRevision(world, 'gone too', shared!.key)
  await addRevision(world, 'there', shared!.key)
  for (const id of ['gone', 'gone too']) await world.store.commit(deleteRevision(id, 2))
  await sweep(world)
  expect(await world.there()).toEqual([shared!.key])
})

test('what only a deleted app names goes', async () => {
  const world = await openWorld()
  await addRevision(world, 'of app-1', (await world.put('pickle')).key)
  await world.store.commit(deleteApp('app-1', 2))
  await sweep(world)
  expect(await world.there()).toEqual([])
})

test('what cannot be deleted is said, and stops nothing', async () => {
  const world = await openWorld()
  const key = '00'.repeat(32)
  await mkdir(join(world.folder, '00', key))
  const other = await world.put('stray')
  const said: object[] = []
  const log: Logger = { ...silent, warn: (fields) => void said.push(fields) }
  await sweep(world, log)
  expect(said).toMatchObject([{ key }])
  expect(await readdir(join(world.folder, other.key.slice(0, 2)))).not.toContain(other.key)
})

test('finding what is named costs no look at what is not a blob', async () => {
  const { store } = await openWorld()
  const { text, values } = bodiesUnder('ab').statement
  const statement = { text: `explain query plan ${text}`, values }
  const plan = await store.read({ statement, result: (rows) => rows.map((row) => String(row['detail'])) })
  expect(plan.filter((line) => line.startsWith('SCAN'))).toEqual([])
  expect(plan.join()).toContain('request_body_blob')
})

test('while blobs are put, only what nothing names and was put long ago goes', async () => {
  const world = await openWorld()
  const { blobs, store } = world
  const [pickle, question, old, fresh] = await Promise.all(['pickle', 'question', 'old', 'fresh'].map(world.put))
  await addRevision(world, 'the-only', pickle!.key)
  await addRequest(world, 'one', question!)
  for (const { key } of [pickle!, question!, old!]) await utimes(blobs.pathOf(key), 1, 1)
  const parts = { blobs, namedUnder: await namedBlobs(store), log: silent, before: 10_000 }
  expect(await discardBlobs({ ...parts, signal: new AbortController().signal })).toBe(1)
  expect(await world.there()).toEqual([pickle!.key, question!.key, fresh!.key].toSorted())
}, 60_000)

test('a blob that is put again while it is discarded is there for whoever put it', async () => {
  const { blobs, put } = await openWorld()
  for (let round = 0; round < 50; round += 1) {
    const { key } = await put('same')
    await utimes(blobs.pathOf(key), 1, 1)
    const turns = async (count: number) => {
      for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    const again = put('same')
    await turns(round % 10)
    await Promise.all([again, blobs.discard(key, 10_000).catch(() => false)])
    expect(await blobs.keysUnder(key.slice(0, 2))).toEqual([key])
  }
})
