import { beforeEach, expect, test } from 'vitest'
import { formatKey } from '../../access/credentials.ts'
import { presets } from '../../domain/permissions.ts'
import { addRunner } from '../../store/runners.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { endTestRequest } from '../../testing/requests.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'

let control: TestControl
let runnerKey = ''
let ownersKey = ''

beforeEach(async () => {
  control = await openTestControl()
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  for (const app of ['hello', 'other'])
    await registerTestRevision(control.store, { app, revision: `revision-of-${app}` }, control.clock.now())
  await control.apps.refresh()
  const made = await control.keyring.mint('account-1', presets.RUNNER, 'runner')
  runnerKey = formatKey(made)
  ownersKey = formatKey(await control.keyring.mint('account-1', presets.ADMIN, 'eve'))
  const identity = { id: 'runner-1', appId: 'hello', accountId: 'account-1', revisionId: 'revision-of-hello' }
  await control.store.commit(
    addRunner({ ...identity, machineType: 'S', createdAt: 1, state: 'pending', startAt: 1, keyId: made.keyId }),
  )
  const times = {
    acceptedAt: control.clock.now() - 2,
    startedAt: control.clock.now() - 2,
    finishedAt: control.clock.now(),
  }
  await endTestRequest(control.store, 'mine', { appId: 'hello', ...times })
  await endTestRequest(control.store, 'not-mine', { appId: 'other', ...times })
  return () => control[Symbol.asyncDispose]()
})

const report = (id: string, units: unknown, key = runnerKey) =>
  control.rest(`/requests/billable-units/${id}`, {
    method: 'POST',
    key,
    body: JSON.stringify({ billable_units: units }),
  })

async function unitsOf(id: string, app = 'hello'): Promise<unknown> {
  const path = `/v1/serverless/requests/by-endpoint?endpoint_id=eve/${app}&request_id=${id}&expand=billing`
  const { body } = await control.rest(path, { key: ownersKey })
  return (body as { items: { billable_units: unknown }[] }).items[0]?.billable_units
}

test('an app says what a request of its own was worth, and may say it again', async () => {
  expect(await report('mine', '12.50000000')).toEqual({ status: 200, body: { recorded: true } })
  expect(await report('mine', '99')).toEqual({ status: 200, body: { recorded: true } })
  expect(await unitsOf('mine')).toBe('12.50000000')
})

test("of another app's request, and of a direct call, nothing is noted", async () => {
  expect(await report('not-mine', '1')).toEqual({ status: 200, body: { recorded: false } })
  expect(await report('a-direct-call', '1')).toEqual({ status: 200, body: { recorded: false } })
  expect(await unitsOf('not-mine', 'other')).toBeNull()
})

test('only runners say so, and only in numbers', async () => {
  expect(await report('mine', '1', ownersKey)).toMatchObject({ status: 403 })
  for (const units of [12.5, '-1', '1e9', '', 'NaN']) expect(await report('mine', units)).toMatchObject({ status: 400 })
  expect(await unitsOf('mine')).toBeNull()
})

test('nobody is billed', async () => {
  expect(await control.rest('/billing/user_details')).toEqual({
    status: 200,
    body: { user_id: 'account-ann', is_paying: true, is_locked: false },
  })
})
