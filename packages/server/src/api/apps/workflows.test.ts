import { beforeAll, describe, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'

let control: TestControl
beforeAll(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const contents = {
  name: 'steps',
  nodes: { a: { type: 'run', app: 'ann/hello', depends: [], input: {} } },
  output: { x: '$a' },
}
const steps = { name: 'steps', title: 'Steps', contents, is_public: false }

function send(method: string, path: string, body: object, key = control.keys.ann) {
  return control.rest(path, { method, key, body: JSON.stringify(body) })
}

test('a workflow that was made is read back as it was sent', async () => {
  const made = await send('POST', '/workflows/', steps)
  expect(made).toMatchObject({ status: 201, body: { ...steps, user_id: 'account-ann', user_nickname: 'ann' } })
  for (const owner of ['ann', 'account-ann'])
    expect(await control.rest(`/workflows/${owner}/steps`)).toEqual({ status: 200, body: made.body })
  expect(await control.rest('/workflows/')).toMatchObject({
    body: { items: [{ name: 'steps', title: 'Steps', user_id: 'account-ann' }], total: 1, page: 1, size: 50, pages: 1 },
  })
  expect(await control.rest('/workflows/?page=2&size=1')).toMatchObject({ body: { items: [], total: 1, page: 2 } })
})

test('what is left out of a change stays, and a change that could never run changes nothing', async () => {
  expect(await send('PATCH', '/workflows/ann/steps', { title: 'Other' })).toMatchObject({
    status: 201,
    body: { ...steps, title: 'Other' },
  })
  const circle = { ...contents, nodes: { a: { type: 'run', app: 'ann/hello', input: '$a' } } }
  expect(await send('PATCH', '/workflows/ann/steps', { contents: circle, title: 'Circle' })).toMatchObject({
    status: 400,
  })
  expect(await send('PATCH', '/workflows/ann/steps', { name: 'other' })).toMatchObject({ status: 400 })
  expect(await control.rest('/workflows/ann/steps')).toMatchObject({ body: { ...steps, title: 'Other' } })
})

describe('is refused:', () => {
  test.each([
    ['a name that is taken', steps, 409],
    ['a name that is an address', { ...steps, name: 'a/b' }, 400],
    ['no name', { ...steps, name: '' }, 400],
    ['no graph', { ...steps, name: 'new', contents: {} }, 400],
    ['half of it', { name: 'new' }, 400],
  ])('%s', async (_, body, status) => expect(await send('POST', '/workflows/', body)).toMatchObject({ status }))
})

test('to others a private workflow does not exist, and a public one cannot be changed', async () => {
  const bob = control.keys.bob
  const nowhere = await control.rest('/workflows/ann/nothing', { key: bob })
  const there = await control.rest('/workflows/ann/steps', { key: bob })
  expect(JSON.stringify(there).replace('steps', 'nothing')).toBe(JSON.stringify(nowhere))
  await send('PATCH', '/workflows/ann/steps', { is_public: true })
  expect(await control.rest('/workflows/ann/steps', { key: bob })).toMatchObject({ status: 200 })
  expect(await send('PATCH', '/workflows/ann/steps', { title: 'of bob' }, bob)).toMatchObject({ status: 404 })
  expect(await control.rest('/workflows/ann/steps', { key: bob, method: 'DELETE' })).toMatchObject({ status: 404 })
  expect(await control.rest('/workflows/', { key: bob })).toMatchObject({ body: { items: [], total: 0 } })
})

test('no list of apps and no change of apps reaches a workflow', async () => {
  expect((await control.client().listAliases({})).aliases).toEqual([])
  expect((await control.client().listApplications({})).applications).toEqual([])
  await expect(
    control.client().updateApplication({ applicationName: 'workflows/steps', keepAlive: 1 }),
  ).rejects.toThrow('not found')
  await expect(control.client().deleteAlias({ alias: 'workflows/steps' })).rejects.toThrow()
})

test('a deleted workflow is gone, and its name is free', async () => {
  expect(await control.rest('/workflows/ann/steps', { method: 'DELETE' })).toMatchObject({ status: 204 })
  expect(await control.rest('/workflows/ann/steps')).toMatchObject({ status: 404 })
  expect(await send('POST', '/workflows/', steps)).toMatchObject({ status: 201 })
})
