import { beforeEach, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'

let control: TestControl
let key: string
const address = '/v1/serverless/apps/eve/hello/queue/settings'
const unset = { paused: false, fair_share: false, weights: {}, retention_days: null, queue_size: 0 }

beforeEach(async () => {
  control = await openTestControl()
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  await registerTestRevision(control.store, { revision: 'revision-1' }, control.clock.now())
  await control.apps.refresh()
  const { keyId, secret } = await control.keyring.mint('account-1', ['apps:read', 'apps:write', 'events:read'], 'eve')
  key = `${keyId}:${secret}`
  return () => control[Symbol.asyncDispose]()
})

const change = (body: object) => control.rest(address, { key, method: 'PATCH', body: JSON.stringify(body) })

test('a queue is changed in part, at once, and every change is on record', async () => {
  expect(await control.rest(address, { key })).toEqual({ status: 200, body: unset })
  expect(await change({ paused: true, weights: { batch: 2 } })).toMatchObject({ status: 200 })
  const changed = { ...unset, paused: true, weights: { batch: 2 }, retention_days: 0.5 }
  expect(await change({ retention_days: 0.5 })).toEqual({ status: 200, body: changed })
  expect(control.apps.find('eve', 'hello')?.app.queue).toMatchObject({ paused: true, retention_days: 0.5 })
  expect(await control.rest('/v1/events?action=change_queue', { key })).toMatchObject({
    body: { events: [{ subject: 'hello', detail: { before: { paused: true }, after: { retention_days: 0.5 } } }, {}] },
  })
})

test('null goes back to the default', async () => {
  await change({ weights: { batch: 2, web: 3 }, retention_days: 7 })
  expect(await change({ weights: { batch: null }, retention_days: null })).toEqual({
    status: 200,
    body: { ...unset, weights: { web: 3 } },
  })
})

test('callers take turns from the next decision on, by key id and by the alias that a key of the owner has by then', async () => {
  const home = control.deps.homes.of('hello')
  const { keyId } = await control.keyring.mint('account-1', ['apps:write'], 'batch')
  const stranger = await control.keyring.mint('account-bob', ['apps:write'], 'batch')
  const request = { appId: 'hello', priority: 'normal', acceptedAt: 0, attempt: 0, dueAt: 0, used: {} } as const
  const retry = { forbidden: false, budgets: {} }
  const keys = [stranger.keyId, stranger.keyId, 'web', 'web', keyId, keyId]
  keys.forEach((each, seq) => home.admit({ ...request, retry, id: `request-${seq}`, seq, keyId: each }))
  const places = () => keys.map((_, seq) => home.positionOf(`request-${seq}`))
  expect(places()).toEqual([0, 1, 2, 3, 4, 5])
  await change({ fair_share: true })
  expect(places()).toEqual([0, 3, 1, 4, 2, 5])
  await change({ weights: { batch: 2, web: 3 } })
  expect(places()).toEqual([0, 5, 1, 3, 2, 4])
  await change({ fair_share: false })
  expect(places()).toEqual([0, 1, 2, 3, 4, 5])
})

test('changes that meet are all made', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => change({ weights: { [`key-${i}`]: i + 1 } })))
  expect(Object.keys(control.apps.find('eve', 'hello')?.app.queue.weights ?? {})).toHaveLength(8)
})

test('what was set stays when the app is deployed again', async () => {
  await change({ paused: true })
  for (const strategy of ['recreate', 'rolling'] as const)
    await registerTestRevision(control.store, { revision: strategy, strategy }, control.clock.now())
  await control.apps.refresh()
  expect(control.apps.find('eve', 'hello')?.app).toMatchObject({ revisionId: 'recreate', queue: { paused: true } })
})

test('what cannot be, and words that nobody knows, are refused and change nothing', async () => {
  for (const body of [{ weights: { a: 101 } }, { retention_days: -1 }, { pause: true }, { paused: 'yes' }])
    expect(await change(body)).toMatchObject({ status: 400 })
  expect(await control.rest(address, { key })).toEqual({ status: 200, body: unset })
})
