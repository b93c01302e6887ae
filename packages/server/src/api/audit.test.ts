import type { EventList } from '@carrick/protocol/rest'
import { beforeEach, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../testing/control.ts'

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

test('pages lead on to what is older, and nobody sees what others did', async () => {
  for (const name of ['one', 'two', 'three']) await control.client().createEnvironment({ name })
  const first = await events('?limit=2')
  expect(first.events.map(({ subject }) => subject)).toEqual(['three', 'two'])
  const rest = await events(`?limit=2&cursor=${first.next_cursor}`)
  expect([rest.events.map(({ subject }) => subject), rest.has_more]).toEqual([['one'], false])
  expect((await control.rest('/v1/events', { key: control.keys.bob })).body).toMatchObject({ events: [] })
})
