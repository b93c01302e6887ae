import type { EventList } from '@carrick/protocol/rest'
import { beforeEach, expect, test } from 'vitest'
import { beginEvent } from '../store/events.ts'
import { openTestControl, type TestControl } from '../testing/control.ts'
import { sweepEvents } from './account/event-sweep.ts'

let control: TestControl
beforeEach(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const events = async (query = '') => (await control.rest(`/v1/events${query}`)).body as EventList

test('a change is recorded with who made it, from which key, and how it ended', async () => {
  await control.client().createEnvironment({ name: 'staging' })
  await expect(control.client().deleteEnvironment({ name: 'nowhere' })).rejects.toThrow('not found')
  const [keyId] = control.keys.ann.split(':')
  expect((await events()).events).toMatchObject([
    { action: 'delete_environment', subject: 'nowhere', outcome: 'failed', key_id: keyId },
    { action: 'create_environment', subject: 'staging', outcome: 'done', key_id: keyId },
  ])
})

test('no secret stands in the record', async () => {
  await control.client().setSecret({ name: 'TOKEN', value: 'the-canary' })
  const { keyId, keySecret } = await control.client().createUserKey({ policyPreset: 'READONLY', alias: 'wall' })
  const said = JSON.stringify(await events())
  expect(said).toContain('TOKEN')
  expect(said).toContain(keyId)
  expect(said).not.toContain('the-canary')
  expect(said).not.toContain(keySecret)
})

test('what was begun before a crash shows as begun', async () => {
  const commit = control.store.commit.bind(control.store)
  control.store.commit = async (write) => {
    if (write.statements[0]?.text.startsWith('update event')) throw new Error('the machine went down')
    return commit(write)
  }
  await control.client().createEnvironment({ name: 'staging' })
  expect((await events()).events).toMatchObject([{ action: 'create_environment', outcome: 'begun' }])
})

test('the record is searched by verb, by subject and by time', async () => {
  await control.client().createEnvironment({ name: 'one' })
  await control.client().createEnvironment({ name: 'two' })
  await control.client().deleteEnvironment({ name: 'one' })
  const subjects = async (query: string) => (await events(query)).events.map(({ action, subject }) => [action, subject])
  expect(await subjects('?action=delete_environment')).toEqual([['delete_environment', 'one']])
  expect(await subjects('?subject=one')).toEqual([
    ['delete_environment', 'one'],
    ['create_environment', 'one'],
  ])
  const [last] = (await events('?limit=1')).events
  expect(await subjects(`?since=${last?.at}`)).toContainEqual(['delete_environment', 'one'])
  const soon = new Date(control.clock.now() + 1_000).toISOString()
  expect(await subjects(`?since=${soon}`)).toEqual([])
  expect(await subjects('?until=2020-01-01T00:00:00Z')).toEqual([])
  expect(Date.parse(last?.ended_at ?? '')).toBeGreaterThanOrEqual(Date.parse(last?.at ?? ''))
})

test('a change that failed is told with what was asked for', async () => {
  await expect(control.client().updateApplication({ applicationName: 'nobody', keepAlive: 5 })).rejects.toThrow()
  expect((await events()).events).toMatchObject([
    {
      action: 'scale_app',
      outcome: 'failed',
      detail: { changes: { keep_alive: 5 }, why: expect.stringContaining('nobody') },
    },
  ])
})

test('what is older than it is kept is forgotten, in steps, and nothing else', async () => {
  const dayMs = 24 * 60 * 60_000
  const now = control.clock.now()
  const begin = (id: string, at: number) =>
    beginEvent({ id, accountId: 'account-ann', keyId: 'key', at, action: 'deploy', subject: 'hello' })
  for (let old = 0; old < 1_001; old += 1)
    await control.store.commit(begin(`0${String(old).padStart(4, '0')}`, now - 31 * dayMs))
  await control.store.commit(begin('1', now - 29 * dayMs))
  await sweepEvents({ ...control, retentionDays: 30 }, new AbortController().signal)
  expect((await events()).events.map(({ id }) => id)).toEqual(['1'])
})

test('pages lead on to what is older, and nobody sees what others did', async () => {
  for (const name of ['one', 'two', 'three']) await control.client().createEnvironment({ name })
  const first = await events('?limit=2')
  expect(first.events.map(({ subject }) => subject)).toEqual(['three', 'two'])
  const rest = await events(`?limit=2&cursor=${first.next_cursor}`)
  expect([rest.events.map(({ subject }) => subject), rest.has_more]).toEqual([['one'], false])
  expect((await control.rest('/v1/events', { key: control.keys.bob })).body).toMatchObject({ events: [] })
})
