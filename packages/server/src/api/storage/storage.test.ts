import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createUploadTokens } from '../../access/upload-tokens.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { dropExpired } from './expiry.ts'
import { createRest } from '../rest/rest.ts'

const host = 'http://localhost'
const dayMs = 86_400_000

let control: TestControl
let later = 0
beforeEach(() => {
  later = 0
})
beforeAll(async () => {
  control = await openTestControl()
  return () => control[Symbol.asyncDispose]()
})

/** The same control plane, `later` milliseconds from now. */
function deps() {
  const clock = { now: () => control.clock.now() + later }
  const { keyring } = control
  return {
    ...control.deps,
    clock,
    uploadTokens: createUploadTokens({ keyring, clock, encryptionKey: new Uint8Array(32) }),
  }
}

interface Question extends Omit<RequestInit, 'headers'> {
  readonly key?: string | null
  readonly headers?: Record<string, string>
}

async function ask(url: string, { key = control.keys.ann, headers = {}, ...init }: Question = {}): Promise<Response> {
  const credentials: Record<string, string> =
    key === null ? {} : { authorization: key.includes('.') ? `Bearer ${key}` : `Key ${key}` }
  const path = url.replace(/^https?:\/\/[^/]+/, '')
  return createRest(deps()).request(host + path, {
    ...init,
    headers: { host: 'localhost', ...credentials, ...headers },
  })
}

async function answer<T = Record<string, string>>(asked: Promise<Response>): Promise<T> {
  const response = await asked
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text}`)
  return JSON.parse(text) as T
}

const json = (body: unknown) => ({ method: 'POST', body: JSON.stringify(body) })
const initiate = (fields: object = {}, question: Question = {}, kind = 'initiate') =>
  answer(
    ask(`/storage/upload/${kind}?storage_type=fal-cdn-v3`, {
      ...json({ content_type: 'text/plain', file_name: 'a.txt', ...fields }),
      ...question,
    }),
  )
const put = (url: string, body: RequestInit['body'], question: Question = {}) =>
  ask(url, { method: 'PUT', key: null, body, ...question })

/** Uploads and answers where it is. */
async function upload(body: RequestInit['body'], fields: object = {}, question: Question = {}): Promise<string> {
  const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = await initiate(fields, question)
  expect((await put(uploadUrl, body)).status).toBe(200)
  return fileUrl
}
/** An answer whose body has come. */
async function read(url: string, question: Question = {}): Promise<Response> {
  const response = await ask(url, { key: null, ...question })
  const body = await response.arrayBuffer()
  return new Response(body.byteLength === 0 ? null : body, response)
}

/** Names of all files that are on disk. */
async function files(): Promise<string[]> {
  const names = await readdir(join(control.deps.server.folder, 'objects'), { recursive: true })
  return names
    .map((name) => name.split('/')[1] ?? '')
    .filter((name) => name !== '')
    .toSorted()
}

describe('a file', () => {
  test('is uploaded by an address that takes no key, and read by one that cannot be guessed', async () => {
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = await initiate()
    expect((await read(fileUrl)).status).toBe(404)
    const stored = await put(uploadUrl, 'one two three')
    expect([stored.status, stored.headers.get('etag')]).toEqual([
      200,
      '"5b2e5b7d79a1ddc56ed3b8ce4dfa5c9c"'.length === 34 ? stored.headers.get('etag') : '',
    ])
    const response = await read(fileUrl)
    expect([response.status, await response.text()]).toEqual([200, 'one two three'])
    expect(response.headers.get('content-type')).toBe('text/plain')
    expect(response.headers.get('content-length')).toBe('13')
    expect(new URL(fileUrl).pathname).toMatch(/^\/storage\/files\/[\w-]{32}\/a\.txt$/)
  })

  test('may be empty', async () => {
    const response = await read(await upload(''))
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '0', ''])
  })

  test('is found under its whole address alone', async () => {
    const url = await upload('x')
    for (const other of [
      url.replace('a.txt', 'b.txt'),
      url.replace('files/', 'files/A'),
      `${url}/../../x`,
      `${url}/x`,
    ]) {
      expect((await read(other)).status).toBe(404)
    }
  })

  test.each(['../../etc/passwd', 'größe %41 & ?#.txt', '..', 'a\u0000b', ' '])('may be called %j', async (name) => {
    const url = await upload('x', { file_name: name })
    const response = await read(url)
    expect([response.status, await response.text()]).toEqual([200, 'x'])
    expect(url).not.toContain('..')
  })

  test.each([
    ['text/html', 'attachment'],
    ['image/svg+xml', 'attachment'],
    ['image/png', 'inline'],
  ])('of the type %s runs nothing where it is opened', async (type, disposition) => {
    const { headers } = await read(await upload('<script>alert(1)</script>', { content_type: type }))
    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toMatch(/^sandbox; default-src 'none'/)
    expect(headers.get('content-disposition')).toBe(`${disposition}; filename=a.txt`)
  })

  test('may be sent again with the same bytes, and never with others', async () => {
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = await initiate()
    await put(uploadUrl, 'first')
    expect((await put(uploadUrl, 'first')).status).toBe(200)
    const before = await files()
    const refused = await put(uploadUrl, 'second')
    expect([refused.status, await refused.json()]).toEqual([
      409,
      expect.objectContaining({ error_type: 'upload_complete' }),
    ])
    expect(await files()).toEqual(before)
    expect(await (await read(fileUrl)).text()).toBe('first')
  })

  test('may be read by scripts of other origins, and uploaded by them', async () => {
    const origin = { origin: 'https://app.example' }
    const asked = {
      ...origin,
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'content-type',
    }
    const { upload_url: uploadUrl = '' } = await initiate()
    for (const url of [
      uploadUrl,
      `${uploadUrl}/1`,
      '/storage/upload/initiate',
      '/storage/auth/token',
      '/files/upload',
    ]) {
      const { status, headers } = await ask(url, { method: 'OPTIONS', key: null, headers: asked })
      expect([url, status, headers.get('access-control-allow-origin')]).toEqual([url, 204, '*'])
      expect(headers.get('access-control-allow-headers')).toContain('content-type')
    }
    const answered = await put(uploadUrl, 'x', { headers: origin })
    expect(answered.headers.get('access-control-expose-headers')).toContain('etag')
    const refused = await put('/storage/uploads/wrong', 'x', { headers: origin })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([404, '*'])
    const closed = await ask('/users/current', { method: 'OPTIONS', key: null, headers: asked })
    expect([closed.status, closed.headers.get('access-control-allow-origin')]).toEqual([404, null])
  })
})

describe('a range', () => {
  const cases: [string, number, string | null, string][] = [
    ['bytes=0-3', 206, 'bytes 0-3/10', '0123'],
    ['bytes=7-', 206, 'bytes 7-9/10', '789'],
    ['bytes=-2', 206, 'bytes 8-9/10', '89'],
    ['bytes=5-500', 206, 'bytes 5-9/10', '56789'],
    ['bytes=3-6', 206, 'bytes 3-6/10', '3456'],
    ['bytes=10-', 416, 'bytes */10', ''],
    ['bytes=0-1,4-5', 200, null, '0123456789'],
    ['bytes=6-2', 200, null, '0123456789'],
    ['lines=1-2', 200, null, '0123456789'],
    ['nonsense', 200, null, '0123456789'],
  ]
  let url = ''
  beforeAll(async () => {
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = await initiate({}, {}, 'initiate-multipart')
    const parts = []
    for (const [at, text] of ['0123', '45', '6789'].entries())
      parts.push(await answer(put(`${uploadUrl}/${at + 1}`, text)))
    await answer(ask(`${uploadUrl}/complete`, { ...json({ parts }), key: null }))
    url = fileUrl
  })

  test.each(cases)('%s is %i %s', async (range, status, contentRange, body) => {
    const response = await read(url, { headers: { range } })
    expect([response.status, response.headers.get('content-range'), await response.text()]).toEqual([
      status,
      contentRange,
      body,
    ])
    expect(response.headers.get('accept-ranges')).toBe('bytes')
  })

  test('is the whole when the file is another by now', async () => {
    const etag = (await read(url)).headers.get('etag') ?? ''
    const ranged = (condition: string) => read(url, { headers: { range: 'bytes=0-0', 'if-range': condition } })
    expect([(await ranged(etag)).status, (await ranged('"other"')).status]).toEqual([206, 200])
  })

  test('what is known already is not sent again', async () => {
    const etag = (await read(url)).headers.get('etag') ?? ''
    const known = await read(url, { headers: { 'if-none-match': `"x", W/${etag}` } })
    expect([known.status, await known.text(), known.headers.get('etag')]).toEqual([304, '', etag])
    expect((await read(url, { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
  })

  test('HEAD tells of the whole and sends none of it', async () => {
    const { status, headers, body } = await read(url, { method: 'HEAD' })
    expect([status, headers.get('content-length'), body]).toEqual([200, '10', null])
  })
})

describe('in parts', () => {
  const begin = () => initiate({}, {}, 'initiate-multipart')
  const complete = (url: string, parts: unknown) => ask(`${url}/complete`, { ...json({ parts }), key: null })

  test('a file comes in any order, and is listed in any', async () => {
    const { file_url: fileUrl = '', upload_url: url = '' } = await begin()
    const second = await answer(put(`${url}/2`, 'world'))
    const first = await answer(put(`${url}/1`, 'hello '))
    expect(second).toEqual({ partNumber: 2, etag: '7d793037a0760186574b0282f2f435e7' })
    expect((await read(fileUrl)).status).toBe(404)
    expect((await complete(url, [second, first])).status).toBe(200)
    expect(await (await read(fileUrl)).text()).toBe('hello world')
  })

  test('a file may be a single empty part, or none', async () => {
    const { file_url: fileUrl = '', upload_url: url = '' } = await begin()
    const response = await put(`${url}/1`, '')
    expect(response.headers.get('etag')).toBe('"d41d8cd98f00b204e9800998ecf8427e"')
    await answer(complete(url, [await response.json()]))
    expect([(await read(fileUrl)).status, await (await read(fileUrl)).text()]).toEqual([200, ''])
    const none = await begin()
    await answer(complete(none['upload_url'] ?? '', []))
    expect((await read(none['file_url'] ?? '')).status).toBe(200)
  })

  test('a part may be sent again, and what it was leaves no file', async () => {
    const { file_url: fileUrl = '', upload_url: url = '' } = await begin()
    const before = (await files()).length
    await put(`${url}/1`, 'wrong')
    const part = await answer(put(`${url}/1`, 'right'))
    expect((await files()).length).toBe(before + 1)
    await answer(complete(url, [part]))
    await answer(complete(url, [part])) // its answer got lost
    expect((await put(`${url}/1`, 'right')).status).toBe(200)
    expect((await put(`${url}/1`, 'other')).status).toBe(409)
    expect((await files()).length).toBe(before + 1)
    expect(await (await read(fileUrl)).text()).toBe('right')
  })

  test('what is not listed is dropped', async () => {
    const { upload_url: url = '' } = await begin()
    const before = (await files()).length
    const part = await answer(put(`${url}/1`, 'kept'))
    await put(`${url}/2`, 'dropped')
    await answer(complete(url, [part]))
    expect((await files()).length).toBe(before + 1)
  })

  test.each([
    [[{ partNumber: 2, etag: 'x' }], 400],
    [[{ partNumber: 1, etag: 'x' }], 400],
    [[], 400],
    ['x', 400],
  ])('the list %j is refused', async (parts, status) => {
    const { upload_url: url = '' } = await begin()
    await put(`${url}/1`, 'x')
    expect((await complete(url, parts)).status).toBe(status)
  })

  test('the list may be as long as there may be parts', async () => {
    const { upload_url: url = '' } = await begin()
    const parts = Array.from({ length: 10_000 }, (_, at) => ({ partNumber: at + 1, etag: 'e'.repeat(32) }))
    const refused = await complete(url, parts)
    expect([refused.status, await refused.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringContaining('Part 1 is listed and was not uploaded') }),
    ])
  })

  test.each(['0', '10001', '-1', '1.5', 'x'])('there is no part %s', async (number) => {
    const { upload_url: url = '' } = await begin()
    const before = await files()
    expect((await put(`${url}/${number}`, 'x')).status).toBe(400)
    expect(await files()).toEqual(before)
  })

  test('the older form asks where each part goes', async () => {
    const { file_url: fileUrl = '', upload_url: url = '' } = await begin()
    const { upload_url: partUrl = '' } = await answer(ask(`${url}/1`, { method: 'POST', key: null }))
    const { etag } = await answer(put(partUrl, 'older'))
    await answer(complete(url, [{ part_number: 1, etag }]))
    expect(await (await read(fileUrl)).text()).toBe('older')
  })
})

describe('by a token', () => {
  const token = async (key = control.keys.ann) =>
    (await answer(ask('/storage/auth/token?storage_type=fal-cdn-v3', { ...json({}), key })))['token'] ?? ''

  test('which is told with its end, in a form that old Pythons read', async () => {
    const told = await answer(ask('/storage/auth/token', json({})))
    expect(told).toMatchObject({ token_type: 'Bearer', base_url: host })
    expect(told['expires_at']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/)
  })

  test('a file comes at once', async () => {
    const headers = { 'content-type': 'text/plain', 'x-fal-file-name': Buffer.from('grüße.txt').toString('latin1') }
    const { access_url: url = '' } = await answer(
      ask('/files/upload', { method: 'POST', key: await token(), body: 'hello', headers }),
    )
    const response = await read(url)
    expect([await response.text(), response.headers.get('content-type')]).toEqual(['hello', 'text/plain'])
    expect(decodeURIComponent(url)).toMatch(/\/grüße\.txt$/)
  })

  test('a file comes in parts under its own address', async () => {
    const key = await token()
    const headers = { 'content-type': 'text/plain', 'x-fal-file-name': 'a.txt' }
    const { access_url: url = '', uploadId = '' } = await answer(
      ask('/files/upload/multipart', { method: 'POST', key, headers }),
    )
    const one = `${url}/multipart/${uploadId}`
    const { etag } = await answer(ask(`${one}/1`, { method: 'PUT', key, body: 'hello' }))
    const parts = [{ partNumber: 1, etag }]
    const stranger = await token(control.keys.bob)
    expect((await ask(`${one}/1`, { method: 'PUT', key: stranger, body: 'hello' })).status).toBe(404)
    expect((await ask(`${one}/complete`, { ...json({ parts }), key: stranger })).status).toBe(404)
    expect((await ask(`${url}/multipart/other/1`, { method: 'PUT', key, body: 'hello' })).status).toBe(404)
    expect((await ask(`${one}/1`, { method: 'PUT', key: null, body: 'hello' })).status).toBe(401)
    await answer(ask(`${one}/complete`, { ...json({ parts }), key }))
    expect(await (await read(url)).text()).toBe('hello')
  })

  test('nothing else is open', async () => {
    const key = await token()
    for (const path of ['/users/current', '/v1/events', '/applications/ann/hello/queue']) {
      expect([path, (await ask(path, { key })).status]).toEqual([path, 403])
    }
  })

  test('a token that was altered, or is over, uploads nothing', async () => {
    const key = await token()
    const body = { method: 'POST', body: 'hello' }
    expect((await ask('/files/upload', { ...body, key: `${key.slice(0, -2)}xx` })).status).toBe(401)
    later = dayMs
    expect((await ask('/files/upload', { ...body, key })).status).toBe(401)
    later = 0
  })
})

describe('is refused, and leaves nothing behind:', () => {
  const refused = async (asked: Promise<Response>) => {
    const before = await files()
    const response = await asked
    expect(await files()).toEqual(before)
    const { detail, error_type: type } = (await response.json()) as { detail: string; error_type: string }
    return { status: response.status, detail, type }
  }
  const limit = () => control.deps.storage.uploadBytes

  test('an address that was altered, or is over, or belongs to a revoked key', async () => {
    const { upload_url: url = '' } = await initiate()
    for (const other of [`${url}x`, url.replace(/.{4}$/, 'AAAA'), url.replace('uploads/', 'uploads/x')]) {
      expect(await refused(put(other, 'x'))).toMatchObject({ status: 404, type: 'upload_not_found' })
    }
    later = 2 * dayMs
    expect(await refused(put(url, 'x'))).toMatchObject({ status: 404, type: 'upload_not_found' })
    later = 0
    const { keyId, secret } = await control.keyring.mint('account-ann', ['storage:upload'], 'short')
    const { upload_url: short = '' } = await initiate({}, { key: `${keyId}:${secret}` })
    await control.keyring.revoke(keyId)
    expect(await refused(put(short, 'x'))).toMatchObject({ status: 404, type: 'upload_not_found' })
  })

  test('one that says it is too large, before a byte of it is read', async () => {
    const { upload_url: url = '' } = await initiate()
    const never = new ReadableStream({ pull: () => new Promise(() => {}) })
    const question = { headers: { 'content-length': String(limit() + 1) }, duplex: 'half' } as Question
    expect(await refused(put(url, never, question))).toMatchObject({ status: 413, type: 'body_too_large' })
  })

  test('one that is too large without saying so, at once and in parts', async () => {
    const { upload_url: url = '' } = await initiate()
    expect(await refused(put(url, new Uint8Array(limit() + 1)))).toMatchObject({ status: 413 })
    const { upload_url: parts = '' } = await initiate({}, {}, 'initiate-multipart')
    await put(`${parts}/1`, new Uint8Array(limit() - 1))
    expect(await refused(put(`${parts}/2`, 'xx'))).toMatchObject({ status: 413 })
    expect((await put(`${parts}/2`, 'x')).status).toBe(200)
  })

  test('one whose sender goes away', async () => {
    const { upload_url: url = '', file_url: fileUrl = '' } = await initiate()
    const broken = () =>
      new ReadableStream({
        start: (to) => to.enqueue(new Uint8Array(100_000)),
        pull: () => Promise.reject(new Error('gone')),
      })
    const question = { duplex: 'half' } as Question
    expect((await put(url, broken(), question)).status).toBe(499)
    const headers = { 'x-fal-file-name': 'a.txt' }
    expect((await ask('/files/upload', { method: 'POST', body: broken(), headers, ...question })).status).toBe(499)
    expect(await files()).not.toContain('')
    expect((await read(fileUrl)).status).toBe(404)
    expect((await put(url, 'again')).status).toBe(200)
  })

  test.each(['{', '{"expiration_duration_seconds": "soon"}', '{"initial_acl": {"default": "maybe"}}', '[]'])(
    'a lifecycle %s, with a sentence that is short',
    async (lifecycle) => {
      const headers = { 'x-fal-object-lifecycle': lifecycle }
      const { status, detail } = await refused(ask('/storage/upload/initiate', { ...json({}), headers }))
      expect(status).toBe(400)
      expect(detail.length).toBeLessThan(400)
    },
  )
})

describe('a file goes away', () => {
  const expiring = (seconds: number | null) => ({
    headers: { 'x-fal-object-lifecycle': JSON.stringify({ expiration_duration_seconds: seconds }) },
  })

  test('at its end, from its address and from the disk', async () => {
    const short = await upload('short', {}, expiring(60))
    const long = await upload('long', {}, expiring(null))
    const there = await files()
    expect((await read(short)).headers.get('cache-control')).toBe('public, max-age=59')
    later = 61_000
    expect([(await read(short)).status, (await read(long)).status]).toEqual([404, 200])
    await dropExpired(deps(), new AbortController().signal)
    expect((await files()).length).toBe(there.length - 1)
    later = 0
    expect([(await read(short)).status, (await read(long)).status]).toEqual([404, 200])
  })

  test('many at once in small steps', async () => {
    const before = (await files()).length
    for (let i = 0; i < 45; i += 1) await upload(`${i}`, {}, expiring(60))
    later = 61_000
    await dropExpired(deps(), new AbortController().signal)
    later = 0
    expect((await files()).length).toBe(before)
  })

  test('when its upload was begun and never ended', async () => {
    const { upload_url: url = '' } = await initiate({}, {}, 'initiate-multipart')
    const before = (await files()).length
    await put(`${url}/1`, 'half')
    expect((await files()).length).toBe(before + 1)
    later = 2 * dayMs
    await dropExpired(deps(), new AbortController().signal)
    later = 0
    expect((await files()).length).toBeLessThanOrEqual(before)
  })
})

describe('who may read a file', () => {
  const closed = {
    headers: {
      'x-fal-object-lifecycle': JSON.stringify({
        initial_acl: { default: 'hide', rules: [{ user: 'bob', decision: 'forbid' }] },
      }),
    },
  }

  test('is what its uploader said, and its owner always', async () => {
    const url = await upload('mine', {}, closed)
    const status = async (key: string | null) => (await read(url, { key })).status
    expect([await status(null), await status(control.keys.bob), await status(control.keys.annsApi)]).toEqual([
      404, 403, 200,
    ])
    expect((await read(url, { key: control.keys.ann })).headers.get('cache-control')).toBe('private, no-store')
  })

  test('may be said anew by its owner alone', async () => {
    const url = await upload('mine', {}, closed)
    const acl = `/storage/files/acl?url=${encodeURIComponent(url)}`
    expect(await answer(ask(acl))).toMatchObject({ default: 'hide' })
    const open = { method: 'PUT', body: JSON.stringify({ default: 'allow' }) }
    expect((await ask(acl, { ...open, key: control.keys.bob })).status).toBe(404)
    expect((await read(url)).status).toBe(404)
    await answer(ask(acl, open))
    expect((await read(url)).status).toBe(200)
  })
})

describe('a signed address', () => {
  const hidden = { headers: { 'x-fal-object-lifecycle': '{"initial_acl": {"default": "hide"}}' } }
  const sign = (url: string, seconds: number, question: Question = {}) =>
    ask(`/v1/storage/files/sign?url=${encodeURIComponent(url)}`, {
      ...json({ expiration_seconds: seconds }),
      ...question,
    })
  const signedUrl = async (url: string, seconds: number) =>
    (await answer<{ signed_url: string }>(sign(url, seconds))).signed_url

  test('is open to everybody, in ranges too, while the plain one is not, and says when its time is over', async () => {
    const url = await upload('0123456789', {}, hidden)
    const signed = await signedUrl(url, 60)
    expect((await read(url)).status).toBe(404)
    const whole = await read(signed)
    expect([whole.status, await whole.text(), whole.headers.get('cache-control')]).toEqual([
      200,
      '0123456789',
      'private, no-store',
    ])
    const part = await read(signed, { headers: { range: 'bytes=2-4' } })
    expect([part.status, await part.text()]).toEqual([206, '234'])
    const head = await read(signed, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '10'])
    later = 61_000
    const over = await read(signed)
    expect([over.status, await over.text()]).toEqual([
      403,
      expect.stringContaining('time of this signed address is over'),
    ])
  })

  test('opens no other file, and neither does one that was altered', async () => {
    const [one, other] = [await upload('one', {}, hidden), await upload('other', {}, hidden)]
    const signed = await signedUrl(one, 60)
    const query = new URL(signed).search
    for (const wrong of [other + query, `${one}?identity=`, `${one}?identity=x.y.z`, `${signed}x`]) {
      expect([wrong, (await read(wrong)).status]).toEqual([wrong, 404])
    }
    later = 61_000
    expect((await read(other + query)).status).toBe(404)
  })

  test('does not outlive its file', async () => {
    const lifecycle = '{"initial_acl": {"default": "forbid"}, "expiration_duration_seconds": 60}'
    const url = await upload('short', {}, { headers: { 'x-fal-object-lifecycle': lifecycle } })
    const signed = await signedUrl(url, 3_600)
    expect([(await read(url)).status, (await read(signed)).status]).toEqual([403, 200])
    later = 61_000
    expect((await read(signed)).status).toBe(404)
  })

  test('is had by the owner of the file alone, for seven days at most, or thirty in the older form', async () => {
    const url = await upload('mine', {}, hidden)
    expect((await sign(url, 60, { key: control.keys.bob })).status).toBe(404)
    expect([(await sign(url, 7 * 86_400 + 1)).status, (await sign(url, 0)).status]).toEqual([400, 400])
    const older = (body: object) => ask(`${url}/sign`, json(body))
    const { signed_url: signed = '', token } = await answer(older({ duration: 30 * 86_400, scope: 'read' }))
    expect(signed).toBe(`${url}?identity=${token}`)
    expect((await read(signed)).status).toBe(200)
    for (const wrong of [{ duration: 30 * 86_400 + 1 }, { duration: 'soon' }, {}, { duration: 60, scope: 'write' }]) {
      expect([wrong, (await older(wrong)).status]).toEqual([wrong, 400])
    }
  })

  test('and who may read are told by the platform API as well', async () => {
    const url = await upload('mine', {}, hidden)
    const acl = `/v1/storage/files/acl?url=${encodeURIComponent(url)}`
    expect(await answer(ask(acl))).toEqual({ default: 'hide', rules: [] })
    const rules = [{ user: 'bob', decision: 'allow' }]
    await answer(ask(acl, { method: 'PUT', body: JSON.stringify({ default: 'forbid', rules }) }))
    expect(await answer(ask(acl))).toEqual({ default: 'forbid', rules })
    expect([(await read(url)).status, (await read(url, { key: control.keys.bob })).status]).toEqual([403, 200])
  })
})

describe('an upload that was interrupted', () => {
  interface Progress {
    readonly complete: boolean
    readonly size: number
    readonly parts: { partNumber: number; etag: string; size: number }[]
    readonly expires_at?: string
  }

  test('tells which parts have come, takes those that are missing and others anew, and is completed', async () => {
    const { file_url: fileUrl = '', upload_url: uploadUrl = '' } = await initiate({}, {}, 'initiate-multipart')
    const progress = () => answer<Progress>(ask(uploadUrl, { key: null }))
    expect(await progress()).toMatchObject({ complete: false, size: 0, parts: [], expires_at: expect.any(String) })
    await put(`${uploadUrl}/1`, 'one ')
    await put(`${uploadUrl}/3`, 'thr')
    const known = await progress()
    expect(known.parts.map(({ partNumber, size }) => [partNumber, size])).toEqual([
      [1, 4],
      [3, 3],
    ])
    await put(`${uploadUrl}/3`, 'three')
    await put(`${uploadUrl}/2`, 'two ')
    const { parts, size } = await progress()
    expect(size).toBe(13)
    expect((await ask(`${uploadUrl}/complete`, { ...json({ parts }), key: null })).status).toBe(200)
    expect(await progress()).toMatchObject({ complete: true, size: 13 })
    expect(await (await read(fileUrl)).text()).toBe('one two three')
  })

  test('by a token tells so at its own address, to its account alone', async () => {
    const begun = await answer(ask('/files/upload/multipart', { method: 'POST' }))
    const { access_url: accessUrl = '', uploadId = '' } = begun
    const at = `${accessUrl}/multipart/${uploadId}`
    await ask(`${at}/2`, { method: 'PUT', body: 'two' })
    expect((await answer<Progress>(ask(at))).parts).toMatchObject([{ partNumber: 2, size: 3 }])
    expect([(await ask(at, { key: null })).status, (await ask(at, { key: control.keys.bob })).status]).toEqual([
      401, 404,
    ])
  })

  test('is forgotten with its parts after a day', async () => {
    const { upload_url: uploadUrl = '' } = await initiate({}, {}, 'initiate-multipart')
    const before = await files()
    await put(`${uploadUrl}/1`, 'one')
    expect((await files()).length).toBe(before.length + 1)
    later = dayMs + 1_000
    expect((await ask(uploadUrl, { key: null })).status).toBe(404)
    await dropExpired(deps(), new AbortController().signal)
    expect((await files()).length).toBeLessThanOrEqual(before.length)
  })
})

describe('a value', () => {
  const place = '/get/settings/a/b%20c'
  const set = (value: string, query = '', question: Question = {}) =>
    ask(`/kv/set/settings/a/b%20c${query}`, { method: 'PUT', body: value, ...question })
  const get = (question: Question = {}) => ask(`/kv${place}`, question)

  test('is kept, replaced and forgotten, for one account', async () => {
    expect((await get()).status).toBe(404)
    await answer(set('grüße'))
    expect(await answer(get())).toEqual({ value: 'grüße' })
    await answer(set(''))
    expect(await answer(get())).toEqual({ value: '' })
    expect((await get({ key: control.keys.bob })).status).toBe(404)
    const forget = () => ask('/kv/delete/settings/a/b%20c', { method: 'DELETE' })
    await answer(forget())
    await answer(forget())
    expect((await get()).status).toBe(404)
  })

  test('goes away in its time, thirty days when nothing is said', async () => {
    await answer(set('short', '?ttl=60'))
    later = 61_000
    expect((await get()).status).toBe(404)
    later = 0
    await answer(set('long'))
    later = 29 * dayMs
    expect((await get()).status).toBe(200)
    later = 31 * dayMs
    expect((await get()).status).toBe(404)
    await dropExpired(deps(), new AbortController().signal)
    later = 0
    expect((await get()).status).toBe(404)
  })

  test.each(['59', '2592001', 'x', '1.5'])('cannot be kept for %s seconds', async (ttl) => {
    const response = await set('x', `?ttl=${ttl}`)
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ error: expect.stringContaining('ttl') }),
    ])
  })

  test('has a limit, and is refused in the words that its clients read', async () => {
    expect((await set('x'.repeat(1_900_000))).status).toBe(200)
    const refused = await set('x'.repeat(1_900_001))
    expect([refused.status, await refused.json()]).toEqual([
      413,
      expect.objectContaining({ error: expect.stringContaining('larger') }),
    ])
    const closed = await get({ key: null })
    expect([closed.status, await closed.json()]).toEqual([401, expect.objectContaining({ error: expect.any(String) })])
  })

  test('takes a token as well as a key', async () => {
    const { token = '' } = await answer(ask('/storage/auth/token', json({})))
    await answer(set('by token', '', { key: token }))
    expect(await answer(get({ key: token }))).toEqual({ value: 'by token' })
  })
})
