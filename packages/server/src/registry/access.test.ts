import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseKey } from '../access/credentials.ts'
import { basic, codeOf, openTestRegistry, type TestRegistry } from '../testing/registry.ts'

let registry: TestRegistry

beforeAll(async () => {
  registry = await openTestRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const login = async (authorization: string) => (await registry.ask('/v2/', { headers: { authorization } })).status

describe('a login', () => {
  test('is a key in any form that docker login can give', async () => {
    const { ann } = registry.keys
    const { keyId = '', secret = '' } = parseKey(ann) ?? {}
    expect(await login(basic('anything', ann))).toBe(200)
    expect(await login(basic(keyId, secret))).toBe(200)
    expect(await login(`Key ${ann}`)).toBe(200)
    const { username, password } = registry.registry.internalAuth()
    expect(await login(basic(username, password))).toBe(200)
  })

  test('is asked for where there is none, or a wrong one', async () => {
    const { keyId = '' } = parseKey(registry.keys.ann) ?? {}
    for (const wrong of [
      basic(keyId, 'wrong'),
      basic('any', `${keyId}:wrong`),
      basic('carrick', 'wrong'),
      basic('', ''),
      'Basic !!!',
      'Basic',
      'Bearer token',
    ])
      expect(await login(wrong)).toBe(401)
    const answer = await registry.ask('/v2/', { key: null })
    expect([answer.status, await codeOf(answer)]).toEqual([401, 'UNAUTHORIZED'])
    expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/)
  })

  test('with a key that was revoked counts no more', async () => {
    const key = await registry.keyring.mint('account-ann', ['*'], 'short')
    const form = basic(key.keyId, key.secret)
    const headers = { authorization: form }
    const begun = await registry.ask('/v2/ann/app/blobs/uploads/', { method: 'POST', headers })
    await registry.keyring.revoke(key.keyId)
    expect(await login(form)).toBe(401)
    expect(
      (await registry.ask(begun.headers.get('location') ?? '', { method: 'PATCH', body: 'x', headers })).status,
    ).toBe(401)
  })
})

test('an upload whose key is revoked while it comes is refused', async () => {
  const { keyId, secret } = await registry.keyring.mint('account-ann', ['*'], 'short')
  const authorization = basic(keyId, secret)
  const begun = await registry.ask('/v2/ann/app/blobs/uploads/', { method: 'POST', headers: { authorization } })
  const location = begun.headers.get('location') ?? ''
  const sending = request(new URL(location, registry.url), { method: 'PATCH', headers: { authorization } })
  const answered = once(sending, 'response') as Promise<[IncomingMessage]>
  sending.on('error', () => {}) // the server may close on what is still coming
  sending.write('the first part')
  await expect
    .poll(async () => (await registry.ask(location, { headers: { authorization } })).headers.get('range'))
    .toBe('0-13')
  await registry.keyring.revoke(keyId)
  sending.write('the second part')
  const [answer] = await answered
  expect(answer.statusCode).toBe(401)
  sending.destroy()
})

describe('a key', () => {
  test('pulls and pushes only with the permission for it', async () => {
    const { digest } = await registry.pushImage('ann/app', 'v1')
    const { reader, runner } = registry.keys
    const pull = async (key: string) => (await registry.ask('/v2/ann/app/manifests/v1', { key })).status
    const push = async (key: string) =>
      (await registry.ask('/v2/ann/app/blobs/uploads/', { method: 'POST', key })).status
    const remove = async (key: string) =>
      (await registry.ask(`/v2/ann/app/manifests/${digest}`, { method: 'DELETE', key })).status
    expect([await pull(reader), await push(reader), await remove(reader)]).toEqual([200, 403, 403])
    expect([await pull(runner), await push(runner)]).toEqual([403, 403])
  })

  test('reaches the repositories of its own account and no others, whether they are there or not', async () => {
    const { digest, layer } = await registry.pushImage('ann/private', 'v1')
    const paths = [
      'ann/private/manifests/v1',
      `ann/private/manifests/${digest}`,
      `ann/private/blobs/${layer}`,
      'ann/private/tags/list',
      `ann/private/referrers/${digest}`,
      'ann/nothing/tags/list',
      'nobody/nothing/tags/list',
    ]
    for (const path of paths) {
      const answer = await registry.ask(`/v2/${path}`, { key: registry.keys.bob })
      expect([path, answer.status, await codeOf(answer)]).toEqual([path, 403, 'DENIED'])
    }
    const push = await registry.ask('/v2/ann/private/blobs/uploads/', { method: 'POST', key: registry.keys.bob })
    expect(push.status).toBe(403)
  })

  test('has no bytes of others by knowing their digest', async () => {
    const { digest } = await registry.pushBlob('ann/secret', 'only ann has this')
    const key = registry.keys.bob
    expect((await registry.ask(`/v2/bob/app/blobs/${digest}`, { key })).status).toBe(404)
    for (const from of ['', '&from=ann/secret', '&from=bob/../ann/secret']) {
      const mount = await registry.ask(`/v2/bob/app/blobs/uploads/?mount=${digest}${from}`, { method: 'POST', key })
      expect(mount.status).toBe(202)
    }
    expect((await registry.ask(`/v2/bob/app/blobs/${digest}`, { key })).status).toBe(404)
    const manifest = { schemaVersion: 2, config: { digest, size: 17 }, layers: [] }
    const stolen = await registry.putManifest('bob/app', 'v1', manifest, { key })
    expect(await codeOf(stolen)).toBe('MANIFEST_BLOB_UNKNOWN')
  })

  test('finds no upload of another account', async () => {
    const begun = await registry.ask('/v2/ann/app/blobs/uploads/', { method: 'POST' })
    const id = begun.headers.get('location')?.split('/').at(-1) ?? ''
    const taken = await registry.ask(`/v2/bob/app/blobs/uploads/${id}`, {
      method: 'PATCH',
      body: 'x',
      key: registry.keys.bob,
    })
    expect([taken.status, await codeOf(taken)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })
})

test('what the server itself pushes is in the repositories of any owner, and no tag keeps it', async () => {
  const { username, password } = registry.registry.internalAuth()
  const headers = { authorization: basic(username, password) }
  const { manifest, digest } = await registry.pushImage('ann/environment')
  const put = await registry.putManifest('ann/environment', 'any', manifest, {
    headers: { ...headers, 'content-type': manifest.mediaType },
  })
  expect(put.status).toBe(201)
  expect((await registry.ask('/v2/ann/environment/manifests/any')).status).toBe(404)
  expect((await registry.ask(`/v2/ann/environment/manifests/${digest}`)).status).toBe(200)
  const shared = await registry.ask('/v2/carrick.images/environment/blobs/uploads/', { method: 'POST', headers })
  expect(shared.status).toBe(202)
})

test("images that are nobody's alone are read by the operator, and by nobody else", async () => {
  const at = '/v2/carrick.images/environment/tags/list'
  expect((await registry.ask(at)).status).toBe(404)
  expect((await registry.ask(at, { key: registry.keys.bob })).status).toBe(403)
  expect((await registry.ask('/v2/carrick.images/environment/blobs/uploads/', { method: 'POST' })).status).toBe(403)
})
