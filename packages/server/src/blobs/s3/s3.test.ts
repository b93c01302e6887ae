/** What is true of an object store alone: it can be away, refuse, break off and change. */
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { silent } from '../../kit/logger.ts'
import { freePort } from '../../testing/free-port.ts'
import { startS3, withoutS3, type TestS3 } from '../../testing/s3.ts'
import { blobPath } from '../places.ts'
import { openBucket } from './bucket.ts'
import { openS3Storage } from './index.ts'
import { parseAddress, type S3Options } from './options.ts'
import { openS3Blobs } from './s3-blobs.ts'

let s3: TestS3 | undefined
beforeAll(async () => {
  s3 = withoutS3 === undefined ? await startS3() : undefined
})
afterAll(() => s3?.[Symbol.asyncDispose]())

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'carrick-s3-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const atOnce = { persistMs: 0, onTrouble: () => {} }

/** Blobs whose calls are made once, in as far as the client library leaves it at that. */
async function blobsAt(options: S3Options) {
  const bucket = openBucket(options)
  onTestFinished(() => bucket.close())
  return openS3Blobs({ bucket, folder: await newFolder(), ...atOnce })
}

async function openedAt(options: S3Options, installation = 'one') {
  const storage = await openS3Storage({ options, installation, folder: await newFolder(), log: silent })
  onTestFinished(() => storage.close())
  return storage
}

/** Something that listens where an object store should. */
async function httpServer(listener: RequestListener): Promise<string> {
  const server = createHttpServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close().closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Leads to the object store, and cuts each connection after so many bytes of its answers. */
async function cuttingProxy(endpoint: string, bytes: number): Promise<{ url: string; cuts: () => number }> {
  let cuts = 0
  const server = createServer((inner) => {
    const outer = connect(Number(new URL(endpoint).port), '127.0.0.1')
    let passed = 0
    inner.on('error', () => {}).pipe(outer.on('error', () => {}))
    outer.on('data', (chunk) => {
      passed += chunk.length
      if (passed <= bytes) {
        inner.write(chunk)
      } else {
        cuts += 1
        inner.destroy()
        outer.destroy()
      }
    })
    inner.on('close', () => outer.destroy())
    outer.on('close', () => inner.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cuts: () => cuts }
}

test.each([
  ['s3://bucket', { bucket: 'bucket', prefix: '' }],
  ['s3://my.bucket-1/a/b/', { bucket: 'my.bucket-1', prefix: 'a/b' }],
])('%s is an address', (address, parsed) => {
  expect(parseAddress(address)).toEqual(parsed)
})

test.each(['s3://', 's3://A', 'https://bucket', 's3://bucket/../other', 's3://bucket//x', 's3://bucket/a b', 'bucket'])(
  '%s is none',
  (address) => expect(() => parseAddress(address)).toThrow('s3://bucket/prefix'),
)

describe.skipIf(withoutS3 !== undefined)(`an object store (${withoutS3 ?? 'versitygw'})`, () => {
  describe('that cannot be used is refused at the start, and why is said:', () => {
    const reasons: [string, (good: S3Options) => S3Options | Promise<S3Options>, RegExp][] = [
      ['a wrong secret', (good) => ({ ...good, secretAccessKey: 'wrong' }), /secret key is wrong \(CARRICK_S3_SECRET/],
      ['an unknown key', (good) => ({ ...good, accessKeyId: 'nobody' }), /access key/],
      ['no such bucket', (good) => ({ ...good, address: 's3://missing/x' }), /no such bucket; make it first/],
      [
        'nobody listens',
        async (good) => ({ ...good, endpoint: `http://127.0.0.1:${await freePort()}` }),
        /ECONNREFUSED/,
      ],
      ['no address', (good) => ({ ...good, address: 's3://' }), /it must be s3:\/\/bucket/],
    ]
    test.each(reasons)('%s', async (_, spoil, sentence) => {
      await expect(openedAt(await spoil(await s3!.newBucket()))).rejects.toThrow(sentence)
    })

    test('another installation stores there', async () => {
      const options = await s3!.newBucket()
      await openedAt(options, 'one')
      await openedAt(options, 'one')
      await expect(openedAt(options, 'other')).rejects.toThrow('belongs to the installation one')
    })
  })

  test('that is away is said to be, keeps nothing half, and work that must not be lost waits for it', async () => {
    const blobs = await blobsAt(await s3!.newBucket())
    const { key } = await blobs.put(Buffer.from('before'))
    await s3!.stop()
    await expect(blobs.put(Buffer.from('during'))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(blobs.open(key)).rejects.toMatchObject({ code: 'storage_unavailable' })
    const patient = blobs.patient(new AbortController().signal)
    const waiting = [patient.put(Buffer.from('result')), patient.open(key).then(buffer)] as const
    await s3!.start()
    const [stored, read] = await Promise.all(waiting)
    expect(read.toString()).toBe('before')
    expect((await buffer(await blobs.open(stored.key))).toString()).toBe('result')
  })

  test('that breaks off in the middle is asked for the rest', async () => {
    const options = await s3!.newBucket()
    const bytes = randomBytes(1_000_000)
    const { key } = await (await blobsAt(options)).put(bytes)
    const proxy = await cuttingProxy(options.endpoint, 300_000)
    const behind = await blobsAt({ ...options, endpoint: proxy.url })
    expect((await buffer(await behind.open(key))).equals(bytes)).toBe(true)
    expect(proxy.cuts()).toBeGreaterThan(2)
  })

  test('that gives other bytes than were stored is not believed, and a runner does not get them', async () => {
    const options = await s3!.newBucket()
    const blobs = await blobsAt(options)
    const { key } = await blobs.put(randomBytes(200_000))
    const { bucket, prefix } = parseAddress(options.address)
    await writeFile(join(s3!.folder, bucket, prefix, 'blobs', blobPath(key)), randomBytes(200_000))
    await expect(buffer(await blobs.open(key))).rejects.toThrow('other bytes than were stored')
    await expect(blobs.pathOf(key)).rejects.toThrow('other bytes than were stored')
  })

  test('loses what nothing names and was put long ago, and nothing that is put again meanwhile', async () => {
    const blobs = await blobsAt(await s3!.newBucket())
    const { key } = await blobs.put(Buffer.from('same'))
    expect(await blobs.discard(key, 1_000)).toBe(false)
    for (let round = 0; round < 20; round += 1) {
      const again = blobs.put(Buffer.from('same'))
      const discarded = blobs.discard(key, Date.now() + 60_000)
      await Promise.all([again, discarded])
      expect(await blobs.keysUnder(key.slice(0, 2))).toEqual([key])
    }
    expect(await blobs.discard(key, Date.now() + 60_000)).toBe(true)
    expect(await blobs.discard(key, Date.now() + 60_000)).toBe(false)
  })

  test('holds no uploads in parts of a process that is gone', async () => {
    const options = await s3!.newBucket()
    const { bucket, prefix } = parseAddress(options.address)
    const { endpoint, region, accessKeyId, secretAccessKey } = options
    const credentials = { accessKeyId, secretAccessKey }
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
    onTestFinished(() => client.destroy())
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `${prefix}/objects/ab/left` }))
    await openedAt(options)
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    expect(Uploads).toEqual([])
  })
})

describe('a server that is in trouble', () => {
  const options = (endpoint: string): S3Options => ({
    address: 's3://bucket',
    endpoint,
    region: 'us-east-1',
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    pathStyle: true,
    idleMs: 200,
  })

  test.each([503, 429, 403])('with %i is reported as unavailable, and nothing is left waiting here', async (status) => {
    const url = await httpServer((req, res) => void req.resume().on('end', () => res.writeHead(status).end()))
    const bucket = openBucket(options(url))
    onTestFinished(() => bucket.close())
    const folder = await newFolder()
    const blobs = await openS3Blobs({ bucket, folder, ...atOnce })
    const told = {
      code: 'storage_unavailable',
      message: expect.stringContaining(`s3://bucket could not be used (${status}`),
    }
    await expect(blobs.put(randomBytes(100_000))).rejects.toMatchObject(told)
    await expect(blobs.open('0'.repeat(64))).rejects.toMatchObject(told)
    expect(await readdir(join(folder, 'incoming'))).toEqual([])
  })

  test('is not waited for any longer when this server goes down, and nothing is said about what became of it', async () => {
    const asked = Promise.withResolvers<void>()
    const url = await httpServer(() => asked.resolve()) // and says nothing
    const bucket = openBucket({ ...options(url), idleMs: 1_000_000 })
    const blobs = await openS3Blobs({ bucket, folder: await newFolder(), ...atOnce })
    const [cut, reason] = [new AbortController(), new Error('going down')]
    const waiting = [blobs.patient(cut.signal).open('0'.repeat(64)), blobs.open('0'.repeat(64))]
    const seen = Promise.allSettled(waiting)
    await asked.promise
    cut.abort(reason)
    bucket.close()
    const [patient, other] = await seen
    expect(patient).toEqual({ status: 'rejected', reason })
    expect(other).toMatchObject({ reason: expect.not.objectContaining({ code: 'storage_unavailable' }) })
  })

  test('because it never answers is not waited for', async () => {
    const blobs = await blobsAt(options(await httpServer((req) => void req.resume())))
    await expect(blobs.put(Buffer.from('x'))).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(blobs.open('0'.repeat(64))).rejects.toMatchObject({ code: 'storage_unavailable' })
  })
})
