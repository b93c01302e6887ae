import { beforeEach, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'

let control: TestControl
let key: string
const address = '/v1/serverless/apps/eve/hello/freezing'

beforeEach(async () => {
  control = await openTestControl()
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  await registerTestRevision(control.store, { revision: 'revision-1' }, control.clock.now())
  await control.apps.refresh()
  const { keyId, secret } = await control.keyring.mint('account-1', ['apps:read', 'apps:write', 'events:read'], 'eve')
  key = `${keyId}:${secret}`
  return () => control[Symbol.asyncDispose]()
})

const set = (freeze_after: unknown) =>
  control.rest(address, { key, method: 'PATCH', body: JSON.stringify({ freeze_after }) })

test('when runners are frozen is set at once, survives a deploy, and every change is on record', async () => {
  const never = { freeze_after: null, in_force: null, impossible: null }
  expect(await control.rest(address, { key })).toEqual({ status: 200, body: never })
  expect(await set(60)).toEqual({ status: 200, body: { ...never, freeze_after: 60, in_force: 60 } })
  await registerTestRevision(control.store, { revision: 'revision-2' }, control.clock.now())
  await control.apps.refresh()
  expect(control.apps.find('eve', 'hello')?.app).toMatchObject({ freezeAfter: 60, revisionId: 'revision-2' })
  expect(await set(0)).toEqual({ status: 200, body: { ...never, freeze_after: 0 } })
  expect(await set(null)).toEqual({ status: 200, body: never })
  expect(await control.rest('/v1/events?action=change_freezing', { key })).toMatchObject({
    body: { events: [{ subject: 'hello', detail: { before: 0, freeze_after: null } }, {}, {}] },
  })
})

test.each([-1, 1.5, 604_801, 'soon'])('%s is refused, and nothing changes', async (seconds) => {
  await set(60)
  expect((await set(seconds)).status).toBeGreaterThanOrEqual(400)
  expect(control.apps.find('eve', 'hello')?.app.freezeAfter).toBe(60)
})

test("an app of somebody else's does not exist", async () => {
  const asked = { key: control.keys.bob, method: 'PATCH', body: '{"freeze_after": 5}' }
  expect(await control.rest(address, asked)).toMatchObject({ status: 404 })
})
