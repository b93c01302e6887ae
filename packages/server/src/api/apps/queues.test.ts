import { beforeEach, expect, test } from 'vitest'
import type { RequestPayload } from '../../domain/request.ts'
import { acceptRequest } from '../../store/requests.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount } from '../../testing/store.ts'

let control: TestControl
let key: string
const address = '/applications/eve/hello/queue'

beforeEach(async () => {
  control = await openTestControl()
  await addTestAccount(control.store, { id: 'account-1', nickname: 'eve' })
  await registerTestRevision(control.store, { revision: 'revision-1' }, control.clock.now())
  await control.apps.refresh()
  const { keyId, secret } = await control.keyring.mint('account-1', ['apps:read', 'apps:write'], 'eve')
  key = `${keyId}:${secret}`
  return () => control[Symbol.asyncDispose]()
})

async function submit(id: string, callerId: string): Promise<void> {
  const body = { inline: new Uint8Array() }
  const payload: RequestPayload = { method: 'POST', path: '/', headers: [], body, callerId }
  const retry = { forbidden: false, budgets: {} }
  const request = { id, appId: 'hello', priority: 'normal', acceptedAt: control.clock.now(), retry } as const
  const seq = await control.store.commit(acceptRequest({ ...request, payload }))
  control.deps.homes.of('hello').admit({ ...request, seq, attempt: 0, dueAt: 0, used: {} })
}

test('a queue has a size, in all and by caller: by nickname where the caller is the owner', async () => {
  await submit('a', 'account-1')
  await submit('b', 'account-1')
  await submit('c', 'anonymous')
  expect(await control.rest(address, { key })).toEqual({ status: 200, body: { size: 3 } })
  expect(await control.rest(`${address}?by_user=true`, { key })).toEqual({
    status: 200,
    body: { size: 3, by_user: { eve: 2, anonymous: 1 } },
  })
})

test('a flush is for everybody, or for one caller by nickname or id', async () => {
  for (const query of ['', '?caller_user_id=eve', '?caller_user_id=anonymous'])
    expect(await control.rest(address + query, { key, method: 'DELETE' })).toEqual({
      status: 200,
      body: { cancelled: 1 },
    })
  expect(control.script.asked).toEqual([
    'flush hello of everybody',
    'flush hello of account-1',
    'flush hello of anonymous',
  ])
})

test("nobody sees or flushes somebody else's queue", async () => {
  for (const method of ['GET', 'DELETE'])
    expect(await control.rest(address, { method })).toMatchObject({
      status: 404,
      body: { error_type: 'app_not_found' },
    })
  expect(control.script.asked).toEqual([])
})
