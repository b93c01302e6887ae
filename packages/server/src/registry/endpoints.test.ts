import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { eventsOfAccount } from '../store/events.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import {
  basic,
  codeOf,
  digestOf,
  imageType,
  indexType,
  openTestRegistry,
  type TestRegistry,
} from '../testing/registry.ts'
import { mayMount, smallDisk } from '../testing/small-disk.ts'

let registry: TestRegistry

beforeAll(async () => {
  registry = await openTestRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const none = digestOf('nobody has this')
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: none, size: 1 }

/** The endpoints of the specification, and what each says when something is wrong. */
const table: readonly [method: string, path: string, status: number, code?: string, body?: string][] = [
  ['GET', '/v2/', 200],
  ['HEAD', '/v2/', 200],
  ['GET', '/v2', 200],
  ['POST', '/v2/', 405, 'UNSUPPORTED'],
  ['GET', '/v2/ann/app/nothing/here', 404, 'NAME_UNKNOWN'],
  ['GET', '/v2/ann/app/blobs/sha256:123', 400, 'DIGEST_INVALID'],
  ['GET', '/v2/ann/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e', 400, 'DIGEST_INVALID'],
  ['GET', `/v2/ann/app/blobs/${none}`, 404, 'BLOB_UNKNOWN'],
  ['HEAD', `/v2/ann/app/blobs/${none}`, 404],
  ['DELETE', `/v2/ann/app/blobs/${none}`, 404, 'BLOB_UNKNOWN'],
  ['PUT', `/v2/ann/app/blobs/${none}`, 405, 'UNSUPPORTED'],
  ['GET', '/v2/ann/app/manifests/latest', 404, 'NAME_UNKNOWN'],
  ['GET', `/v2/ann/app/manifests/${none}`, 404, 'NAME_UNKNOWN'],
  ['GET', '/v2/ann/app/manifests/.no-tag', 404, 'MANIFEST_UNKNOWN'],
  ['GET', '/v2/ann/app/manifests/sha256:0', 400, 'DIGEST_INVALID'],
  ['DELETE', '/v2/ann/app/manifests/latest', 404, 'NAME_UNKNOWN'],
  ['PUT', '/v2/ann/app/manifests/latest', 400, 'MANIFEST_INVALID', 'no JSON'],
  ['PUT', '/v2/ann/app/manifests/latest', 400, 'MANIFEST_INVALID', '{"schemaVersion":1}'],
  ['PUT', '/v2/ann/app/manifests/latest', 413, 'SIZE_INVALID', ' '.repeat(4 * 1024 * 1024 + 1)],
  ['PUT', `/v2/ann/app/manifests/${none}`, 400, 'DIGEST_INVALID', '{}'],
  [
    'PUT',
    '/v2/ann/app/manifests/latest',
    404,
    'MANIFEST_BLOB_UNKNOWN',
    JSON.stringify({ schemaVersion: 2, mediaType: imageType, config, layers: [] }),
  ],
  ['GET', '/v2/ann/app/tags/list', 404, 'NAME_UNKNOWN'],
  ['GET', `/v2/ann/app/referrers/${none}`, 200],
  ['GET', '/v2/ann/app/referrers/latest', 400, 'DIGEST_INVALID'],
  ['POST', '/v2/ann/UPPER/blobs/uploads/', 400, 'NAME_INVALID'],
  ['POST', `/v2/ann/${'a'.repeat(200)}/blobs/uploads/`, 400, 'NAME_INVALID'],
  ['POST', '/v2/ann/../bob/blobs/uploads/', 403, 'DENIED'], // clients make that /v2/bob/…
  ['POST', '/v2/ann/%2e%2e/bob/blobs/uploads/', 403, 'DENIED'],
  ['POST', '/v2/ann/%2e%2e%2fbob/blobs/uploads/', 400, 'NAME_INVALID'],
  ['POST', '/v2/ann/%00/blobs/uploads/', 400, 'NAME_INVALID'],
  ['POST', '/v2/ann/%ff/blobs/uploads/', 400, 'NAME_INVALID'],
  ['POST', '/v2/ann/app/blobs/uploads/?digest=sha256:1', 400, 'DIGEST_INVALID', 'bytes'],
  ['POST', `/v2/ann/app/blobs/uploads/?digest=${none}`, 400, 'DIGEST_INVALID', 'other bytes'],
  ['POST', '/v2/ann/app/blobs/uploads/?mount=x', 400, 'DIGEST_INVALID'],
  ['PATCH', '/v2/ann/app/blobs/uploads/unknown', 404, 'BLOB_UPLOAD_UNKNOWN', 'bytes'],
  ['PUT', `/v2/ann/app/blobs/uploads/unknown?digest=${none}`, 404, 'BLOB_UPLOAD_UNKNOWN', 'bytes'],
  ['GET', '/v2/ann/app/blobs/uploads/unknown', 404, 'BLOB_UPLOAD_UNKNOWN'],
  ['DELETE', '/v2/ann/app/blobs/uploads/unknown', 404, 'BLOB_UPLOAD_UNKNOWN'],
  ['GET', '/v2/_catalog?n=many', 400, 'UNSUPPORTED'],
]

test.each(table)('%s %s is answered with %d %s', async (method, path, status, code, body) => {
  const headers = { 'content-type': imageType }
  const answer = await registry.ask(path, { method, ...(body === undefined ? {} : { body, headers }) })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
  if (code !== undefined) expect(await codeOf(answer)).toBe(code)
})

describe('a blob', () => {
  const bytes = randomBytes(300_000)
  const digest = digestOf(bytes)
  const begin = async (query = '') => {
    const answer = await registry.ask(`/v2/ann/blobs/blobs/uploads/${query}`, { method: 'POST' })
    return { status: answer.status, location: answer.headers.get('location') ?? '' }
  }
  const send = (location: string, method: string, body?: string | Uint8Array<ArrayBuffer>, headers = {}) =>
    registry.ask(location, { method, headers, ...(body === undefined ? {} : { body }) })
  const at = `/v2/ann/blobs/blobs/${digest}`

  test('comes with the request that ends its upload', async () => {
    const { status, location } = await begin()
    expect(status).toBe(202)
    const ended = await send(`${location}?digest=${digest}`, 'PUT', bytes)
    expect(ended.status).toBe(201)
    expect(ended.headers.get('docker-content-digest')).toBe(digest)
    const got = await registry.ask(ended.headers.get('location') ?? '')
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true)
    expect((await send(location, 'GET')).status).toBe(404)
  })

  test('comes in chunks, each where the last one ended', async () => {
    const { location } = await begin()
    const chunk = (start: number, end: number) =>
      send(location, 'PATCH', bytes.subarray(start, end), { 'content-range': `${start}-${end - 1}` })
    expect((await chunk(0, 100_000)).headers.get('range')).toBe('0-99999')
    const early = await chunk(200_000, 300_000)
    expect(early.status).toBe(416)
    expect(early.headers.get('range')).toBe('0-99999')
    expect((await chunk(0, 100_000)).status).toBe(416)
    expect((await send(location, 'PATCH', 'x', { 'content-range': 'nonsense' })).status).toBe(400)
    const seen = await send(location, 'GET')
    expect([seen.status, seen.headers.get('range')]).toEqual([204, '0-99999'])
    expect((await chunk(100_000, 200_000)).status).toBe(202)
    expect((await send(`${location}?digest=${digest}`, 'PUT', bytes.subarray(200_000))).status).toBe(201)
  })

  test('comes with the request that begins it, under a digest of either kind', async () => {
    const other = digestOf(bytes, 'sha512')
    const begun = await registry.ask(`/v2/ann/blobs/blobs/uploads/?digest=${other}`, { method: 'POST', body: bytes })
    expect(begun.status).toBe(201)
    expect((await registry.ask(`/v2/ann/blobs/blobs/${other}`, { method: 'HEAD' })).status).toBe(200)
  })

  test('that is not what its digest says is not kept', async () => {
    const { location } = await begin()
    const answer = await send(`${location}?digest=${digestOf('other')}`, 'PUT', 'these')
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'DIGEST_INVALID'])
    expect((await send(location, 'GET')).status).toBe(404)
  })

  test('that is too large is refused on the way', async () => {
    const { location } = await begin()
    const answer = await send(location, 'PATCH', Buffer.alloc(10_000_001))
    expect([answer.status, await codeOf(answer)]).toEqual([413, 'SIZE_INVALID'])
  })

  test('whose upload is given up is gone', async () => {
    const { location } = await begin()
    expect((await send(location, 'DELETE')).status).toBe(204)
    expect((await send(location, 'DELETE')).status).toBe(404)
  })

  test('whose sender goes away can be gone on with', async () => {
    const { location } = await begin()
    const { hostname, port } = new URL(registry.url)
    const socket = connect(Number(port), hostname)
    const head = `PATCH ${location} HTTP/1.1\r\nhost: x\r\nauthorization: ${basic('any', registry.keys.ann)}\r\ncontent-length: 1000\r\n\r\n`
    socket.write(head + 'x'.repeat(600))
    await expect.poll(async () => (await send(location, 'GET')).headers.get('range')).toBe('0-599')
    // As long as that request may bring more, there is no other.
    expect((await send(location, 'PATCH', 'more')).status).toBe(429)
    socket.destroy()
    await expect.poll(async () => (await send(location, 'PATCH', 'more')).status).toBe(202)
    expect((await send(location, 'GET')).headers.get('range')).toBe('0-603')
  })

  test('is had in part', async () => {
    await registry.pushBlob('ann/blobs', bytes)
    const part = async (range: string) => {
      const answer = await registry.ask(at, { headers: { range } })
      return [answer.status, answer.headers.get('content-range'), (await answer.arrayBuffer()).byteLength]
    }
    expect(await part('bytes=100-199')).toEqual([206, 'bytes 100-199/300000', 100])
    expect(await part('bytes=299000-')).toEqual([206, 'bytes 299000-299999/300000', 1_000])
    expect(await part('bytes=-5')).toEqual([206, 'bytes 299995-299999/300000', 5])
    expect((await part('bytes=300000-'))[0]).toBe(416)
    expect((await part('bytes=5-1'))[0]).toBe(416)
    expect((await part('lines=1-2'))[0]).toBe(200)
    const known = await registry.ask(at, { headers: { 'if-none-match': `"${digest}"` } })
    expect(known.status).toBe(304)
  })

  test('is told of by HEAD, also one of no bytes', async () => {
    await registry.pushBlob('ann/blobs', bytes)
    const head = await registry.ask(at, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '300000'])
    const empty = await registry.pushBlob('ann/blobs', '')
    const got = await registry.ask(`/v2/ann/blobs/blobs/${empty.digest}`)
    expect([got.status, got.headers.get('content-length'), await got.text()]).toEqual([200, '0', ''])
  })

  test('of another repository is mounted, whether that is named or not', async () => {
    const { digest: there } = await registry.pushBlob('ann/blobs')
    const mount = async (to: string, query: string) =>
      (await registry.ask(`/v2/${to}/blobs/uploads/?mount=${there}${query}`, { method: 'POST' })).status
    expect(await mount('ann/mounted', '&from=ann/blobs')).toBe(201)
    expect(await mount('ann/anonymous', '')).toBe(201)
    expect(await mount('ann/elsewhere', '&from=ann/nowhere')).toBe(202) // then it is uploaded
    for (const name of ['mounted', 'anonymous'])
      expect((await registry.ask(`/v2/ann/${name}/blobs/${there}`, { method: 'HEAD' })).status).toBe(200)
  })

  test('is deleted when no manifest names it', async () => {
    const { layer, digest: manifest } = await registry.pushImage('ann/deleting')
    const remove = async (path: string) => (await registry.ask(`/v2/ann/deleting/${path}`, { method: 'DELETE' })).status
    expect(await remove(`blobs/${layer}`)).toBe(405)
    expect(await remove(`manifests/${manifest}`)).toBe(202)
    expect(await remove(`blobs/${layer}`)).toBe(202)
    expect(await remove(`blobs/${layer}`)).toBe(404)
  })
})

describe('a manifest', () => {
  test('comes back byte for byte, by its tag and by its digest', async () => {
    const { digest, manifest } = await registry.pushImage('ann/images', 'latest')
    for (const reference of ['latest', digest]) {
      const got = await registry.ask(`/v2/ann/images/manifests/${reference}`)
      expect(await got.text()).toBe(JSON.stringify(manifest))
      expect(got.headers.get('content-type')).toBe(imageType)
      expect(got.headers.get('docker-content-digest')).toBe(digest)
    }
  })

  test('of Docker is stored as well, and its foreign layers need not be here', async () => {
    const layer = await registry.pushBlob('ann/images')
    const foreign = { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', digest: none, size: 1 }
    const mediaType = 'application/vnd.docker.distribution.manifest.v2+json'
    const manifest = { schemaVersion: 2, mediaType, config: layer, layers: [layer, foreign] }
    expect((await registry.putManifest('ann/images', 'docker', manifest)).status).toBe(201)
  })

  test('is what it was sent as', async () => {
    const { manifest } = await registry.pushImage('ann/images')
    const body = JSON.stringify(manifest)
    const send = async (type: string) => {
      const headers = { 'content-type': type }
      return (await registry.ask('/v2/ann/images/manifests/typed', { method: 'PUT', body, headers })).status
    }
    expect(await send(indexType)).toBe(400)
    expect(await send('text/plain')).toBe(400)
    expect(await send(`${imageType}; charset=utf-8`)).toBe(201)
  })

  test('that names others needs them', async () => {
    const { digest, size } = await registry.pushImage('ann/images')
    const child = { mediaType: imageType, digest, size }
    const index = (manifests: object[]) => ({ schemaVersion: 2, mediaType: indexType, manifests })
    expect((await registry.putManifest('ann/images', 'multi', index([child]))).status).toBe(201)
    const refused = await registry.putManifest('ann/images', 'multi', index([child, { ...child, digest: none }]))
    expect([refused.status, await codeOf(refused)]).toEqual([404, 'MANIFEST_BLOB_UNKNOWN'])
    const removed = await registry.ask(`/v2/ann/images/manifests/${digest}`, { method: 'DELETE' })
    expect([removed.status, await codeOf(removed)]).toEqual([403, 'DENIED'])
  })

  test('of another repository is none of this one', async () => {
    const { digest, manifest } = await registry.pushImage('ann/images')
    expect((await registry.ask(`/v2/ann/blobs/manifests/${digest}`)).status).toBe(404)
    const elsewhere = await registry.putManifest('ann/blobs', 'stolen', manifest)
    expect(await codeOf(elsewhere)).toBe('MANIFEST_BLOB_UNKNOWN')
  })

  test('gets tags with its digest, and loses them with it', async () => {
    const { digest, manifest } = await registry.pushImage('ann/tagged')
    const put = await registry.putManifest('ann/tagged', `${digest}?tag=one&tag=two`, manifest)
    expect([put.status, put.headers.get('oci-tag')]).toEqual([201, 'one, two'])
    expect((await registry.ask('/v2/ann/tagged/manifests/one', { method: 'DELETE' })).status).toBe(202)
    expect((await registry.ask('/v2/ann/tagged/manifests/one')).status).toBe(404)
    expect((await registry.ask('/v2/ann/tagged/manifests/two')).status).toBe(200)
    expect((await registry.ask(`/v2/ann/tagged/manifests/${digest}`, { method: 'DELETE' })).status).toBe(202)
    expect((await registry.ask('/v2/ann/tagged/manifests/two')).status).toBe(404)
  })

  test('of which an environment is made is not deleted', async () => {
    await using pinning = await openTestRegistry({ pinned: async (digests) => new Set(digests) })
    const { digest } = await pinning.pushImage('ann/environment')
    const answer = await pinning.ask(`/v2/ann/environment/manifests/${digest}`, { method: 'DELETE' })
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'DENIED'])
  })
})

test('who pushed and deleted what under which tag is in the record of changes', async () => {
  await using noted = await openTestRegistry()
  const { digest } = await noted.pushImage('ann/noted', 'v1')
  noted.clock.advance(1)
  await noted.ask('/v2/ann/noted/manifests/v1', { method: 'DELETE' })
  noted.clock.advance(1)
  await noted.ask(`/v2/ann/noted/manifests/${digest}`, { method: 'DELETE' })
  const events = await noted.store.read(eventsOfAccount('account-ann', { limit: 10 }))
  const keyId = noted.keys.ann.split(':')[0]
  expect(events.map(({ action, subject }) => [action, subject])).toEqual([
    ['delete_image', `ann/noted@${digest}`],
    ['delete_image', 'ann/noted:v1'],
    ['push_image', 'ann/noted:v1'],
  ])
  expect(events.at(-1)).toMatchObject({ keyId, outcome: 'done', detail: { digest } })
})

describe('a list', () => {
  test('of tags has pages that lead on', async () => {
    const { digest, manifest } = await registry.pushImage('ann/many')
    const all = Array.from({ length: 7 }, (_, index) => `v${index}`)
    await registry.putManifest('ann/many', `${digest}?${all.map((tag) => `tag=${tag}`).join('&')}`, manifest)
    const found: string[] = []
    for (let next: string | undefined = '/v2/ann/many/tags/list?n=3'; next !== undefined;) {
      const answer = await registry.ask(next)
      found.push(...((await answer.json()) as { tags: string[] }).tags)
      next = /<(.*)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]
    }
    expect(found).toEqual(all)
    const nothing = await registry.ask('/v2/ann/many/tags/list?n=0')
    expect(await nothing.json()).toEqual({ name: 'ann/many', tags: [] })
  })

  test('of repositories holds those of the caller', async () => {
    await registry.pushImage('ann/listed')
    const list = async (key: string) => {
      const answer = await registry.ask('/v2/_catalog', { key })
      return ((await answer.json()) as { repositories: string[] }).repositories
    }
    expect(await list(registry.keys.ann)).toContain('ann/listed')
    expect(await list(registry.keys.bob)).toEqual([])
  })

  test('of referrers holds what says something about a manifest, by type', async () => {
    const subject = await registry.pushImage('ann/subject')
    const about = { subject: { mediaType: imageType, digest: subject.digest, size: subject.size } }
    const put = await registry.putManifest('ann/subject', 'signature', {
      ...subject.manifest,
      ...about,
      artifactType: 'application/vnd.example.signature',
      annotations: { by: 'ann' },
    })
    expect(put.headers.get('oci-subject')).toBe(subject.digest)
    await registry.pushImage('ann/subject', undefined, about)
    const refer = async (query: string) => {
      const answer = await registry.ask(`/v2/ann/subject/referrers/${subject.digest}${query}`)
      const { manifests } = (await answer.json()) as { manifests: object[] }
      return {
        manifests,
        filtered: answer.headers.get('oci-filters-applied'),
        type: answer.headers.get('content-type'),
      }
    }
    expect(await refer('')).toMatchObject({ manifests: [{}, {}], filtered: null, type: indexType })
    expect(await refer('?artifactType=application/vnd.example.signature')).toMatchObject({
      manifests: [{ artifactType: 'application/vnd.example.signature', annotations: { by: 'ann' } }],
      filtered: 'artifactType',
    })
  })
})

test('nothing is changed while the server goes down', async () => {
  await using closing = await openTestRegistry({ accepting: () => false })
  const answer = await closing.ask('/v2/ann/app/blobs/uploads/', { method: 'POST' })
  expect([answer.status, await codeOf(answer)]).toEqual([503, 'UNAVAILABLE'])
  expect((await closing.ask('/v2/')).status).toBe(200)
})

test('a disk without room takes no upload', async () => {
  await using full = await openTestRegistry({ limits: { blobBytes: 1_000, keepFree: Number.MAX_SAFE_INTEGER } })
  const answer = await full.ask('/v2/ann/app/blobs/uploads/', { method: 'POST' })
  expect(answer.status).toBe(507)
})

test.skipIf(!mayMount())(
  'a disk that is full keeps nothing of an upload (needs root to mount a small one)',
  async () => {
    await using disk = await smallDisk(4)
    const blobs = await openLocalBlobs({ folder: disk.path })
    await using full = await openTestRegistry({ blobs })
    const begun = await full.ask('/v2/ann/app/blobs/uploads/', { method: 'POST' })
    const location = begun.headers.get('location') ?? ''
    expect((await full.ask(location, { method: 'PATCH', body: randomBytes(3_000_000) })).status).toBe(202)
    const answer = await full.ask(location, { method: 'PATCH', body: randomBytes(3_000_000) })
    expect([answer.status, await codeOf(answer)]).toEqual([507, 'DENIED'])
    expect((await full.ask(location, { method: 'PUT' })).status).toBe(404)
    expect(await readdir(join(disk.path, 'incoming'))).toEqual([])
    await full.pushBlob('ann/app', randomBytes(3_000_000))
  },
)

test('one account has so many uploads open, and those that nothing comes to end', async () => {
  await using busy = await openTestRegistry()
  const begin = async (owner: 'ann' | 'bob') =>
    (await busy.ask(`/v2/${owner}/app/blobs/uploads/`, { method: 'POST', key: busy.keys[owner] })).status
  const statuses = await Promise.all(Array.from({ length: 105 }, () => begin('ann')))
  expect(statuses.filter((status) => status === 429)).toHaveLength(5)
  expect(await begin('bob')).toBe(202)
  busy.clock.advance(61 * 60_000)
  await busy.registry.expireUploads()
  expect(await begin('ann')).toBe(202)
})
