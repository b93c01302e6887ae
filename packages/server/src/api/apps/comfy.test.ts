import { beforeAll, expect, test } from 'vitest'
import { openTestControl, type TestControl } from '../../testing/control.ts'

let control: TestControl
beforeAll(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

const graph = {
  name: 'portrait',
  title: 'Portrait',
  workflow: { prompt: { 3: { class_type: 'KSampler', inputs: { seed: 7 } } }, fal_inputs: { seed: 3 } },
  is_public: false,
}

function send(method: string, path: string, body: object, key = control.keys.ann) {
  return control.rest(path, { method, key, body: JSON.stringify(body) })
}

test('a graph that was saved is read back as it was sent, by nickname and by id', async () => {
  const made = await send('POST', '/comfy/', graph)
  expect(made).toMatchObject({ status: 201, body: { ...graph, user_id: 'account-ann', user_nickname: 'ann' } })
  for (const owner of ['ann', 'account-ann'])
    expect(await control.rest(`/comfy/${owner}/portrait`)).toEqual({ status: 200, body: made.body })
  expect(await control.rest('/comfy/')).toMatchObject({
    body: { items: [{ name: 'portrait', title: 'Portrait' }], total: 1, page: 1, size: 50, pages: 1 },
  })
  expect(await control.rest('/comfy/?page=2&size=1')).toMatchObject({ body: { items: [], total: 1 } })
})

test('what is left out of a change stays', async () => {
  const changed = await send('PATCH', '/comfy/ann/portrait', { title: 'Other' })
  expect(changed).toMatchObject({ status: 201, body: { ...graph, title: 'Other' } })
  expect(await send('PATCH', '/comfy/ann/portrait', { name: 'other' })).toMatchObject({ status: 400 })
  expect(await control.rest('/comfy/ann/portrait')).toMatchObject({ body: { title: 'Other' } })
})

test.each([
  ['a name that is taken', graph, 409],
  ['a name that is an address', { ...graph, name: 'a/b' }, 400],
  ['no prompt', { ...graph, name: 'new', workflow: {} }, 400],
  ['half of it', { name: 'new' }, 400],
])('%s is refused', async (_, body, status) => expect(await send('POST', '/comfy/', body)).toMatchObject({ status }))

test('to others a private graph does not exist, and a public one cannot be changed', async () => {
  const bob = control.keys.bob
  expect(await control.rest('/comfy/ann/portrait', { key: bob })).toMatchObject({ status: 404 })
  await send('PATCH', '/comfy/ann/portrait', { is_public: true })
  expect(await control.rest('/comfy/ann/portrait', { key: bob })).toMatchObject({ status: 200 })
  for (const method of ['PATCH', 'DELETE'])
    expect(await send(method, '/comfy/ann/portrait', {}, bob)).toMatchObject({ status: 404 })
  expect(await control.rest('/comfy/', { key: bob })).toMatchObject({ body: { items: [], total: 0 } })
})

test('a graph that was deleted is gone', async () => {
  expect(await send('DELETE', '/comfy/ann/portrait', {})).toMatchObject({ status: 204 })
  expect(await send('DELETE', '/comfy/ann/portrait', {})).toMatchObject({ status: 404 })
  expect(await control.rest('/comfy/ann/portrait')).toMatchObject({ status: 404 })
})
