/** What is promised of blobs and of uploaded files, wherever they are kept. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silent } from '../kit/logger.ts'
import type { ObjectFiles } from './object-files.ts'
import { openStorage, type Storage } from './open.ts'
import type { S3Options } from './s3/options.ts'
import type { Sweepable } from './sweep.ts'
import { startS3, withoutS3, type TestS3 } from '../testing/s3.ts'

let s3: TestS3 | undefined
beforeAll(async () => {
  s3 = withoutS3 === undefined ? await startS3() : undefined
})
afterAll(() => s3?.[Symbol.asyncDispose]())

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const streamOf = (...chunks: Uint8Array[]) => Readable.from(chunks, { objectMode: false })
async function all(store: Sweepable): Promise<string[]> {
  const names = await Promise.all(store.prefixes.map((prefix) => store.keysUnder(prefix)))
  return names.flat().toSorted()
}

describe.each([
  { where: 'in the data folder', skip: undefined, options: async () => undefined },
  { where: 'at a server that speaks S3', skip: withoutS3, options: () => s3!.newBucket() },
  {
    where: 'at one, in parts',
    skip: withoutS3,
    options: async (): Promise<S3Options> => ({ ...(await s3!.newBucket()), wholeBytes: 0 }),
  },
])('$where', ({ skip, options: optionsOf }) => {
  describe.skipIf(skip !== undefined)(skip ?? 'storage', () => {
    let folder = ''
    let storage: Storage
    let options: S3Options | undefined
    const open = () => {
      const folders = { blobs: join(folder, 'blobs'), objects: join(folder, 'objects'), outgoing: join(folder, 'out') }
      return openStorage({ folder: folders, installation: 'installation-1', s3: options, log: silent })
    }

    // Opened once: that makes, and lists, 256 folders.
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'carrick-storage-'))
      options = await optionsOf()
      storage = await open()
    })
    afterAll(async () => {
      storage.close()
      await rm(folder, { recursive: true, force: true })
    })

    describe('a blob', () => {
      test('has the SHA-256 of its bytes as its key, and comes back as it went in', async () => {
        const bytes = Buffer.from('one two three')
        const { key, length } = await storage.blobs.put(bytes)
        expect([key, length]).toEqual([sha256(bytes), bytes.length])
        expect(await buffer(await storage.blobs.open(key))).toEqual(bytes)
        expect(await readFile(await storage.blobs.pathOf(key))).toEqual(bytes)
      })

      test('may come as a stream of many chunks, also more than one part holds', async () => {
        const chunks = Array.from({ length: 300 }, (_, index) => Buffer.alloc(70_000, index))
        const { key, length } = await storage.blobs.put(streamOf(...chunks))
        expect([key, length]).toEqual([sha256(Buffer.concat(chunks)), 21_000_000])
        expect(sha256(await buffer(await storage.blobs.open(key)))).toBe(key)
      })

      test('may be empty', async () => {
        const { key } = await storage.blobs.put(new Uint8Array())
        expect(await buffer(await storage.blobs.open(key))).toHaveLength(0)
      })

      test('may be put by many at once, and is stored once', async () => {
        const puts = await Promise.all(Array.from({ length: 20 }, () => storage.blobs.put(Buffer.from('same'))))
        expect(new Set(puts.map(({ key }) => key)).size).toBe(1)
        const { key } = puts[0]!
        expect((await storage.blobs.keysUnder(key.slice(0, 2))).filter((each) => each === key)).toEqual([key])
      })

      test('is still there when it is opened again, and read by many at once', async () => {
        const bytes = randomBytes(300_000)
        const { key } = await storage.blobs.put(bytes)
        storage.close()
        storage = await open()
        const reads = Array.from({ length: 10 }, async () => buffer(await storage.blobs.open(key)))
        expect((await Promise.all(reads)).every((read) => read.equals(bytes))).toBe(true)
        const paths = await Promise.all([storage.blobs.pathOf(key), storage.blobs.pathOf(key)])
        expect(await readFile(paths[1])).toEqual(bytes)
      })

      test('may be given up by its reader, at once or in the middle', async () => {
        const { key } = await storage.blobs.put(randomBytes(3_000_000))
        for (let i = 0; i < 20; i += 1) {
          const unread = await storage.blobs.open(key)
          unread.destroy()
          for await (const _ of await storage.blobs.open(key)) break
        }
        expect(await buffer(await storage.blobs.open(key))).toHaveLength(3_000_000)
      })

      test('that was taken away, or never was, cannot be opened', async () => {
        const { key } = await storage.blobs.put(Buffer.from('gone'))
        await storage.blobs.remove(key)
        await expect(storage.blobs.open(key)).rejects.toThrow()
        await expect(storage.blobs.open('0'.repeat(64))).rejects.toThrow()
        expect(await storage.blobs.keysUnder(key.slice(0, 2))).not.toContain(key)
      })

      test('has a key that names nothing else', async () => {
        await expect(async () => storage.blobs.pathOf('../../etc/passwd')).rejects.toThrow('is not the key of a blob')
        await expect(storage.blobs.open('../objects/x')).rejects.toThrow('is not the key of a blob')
      })
    })

    describe('a put that fails', () => {
      const kept = async () => [await all(storage.blobs), await all(storage.objects)]

      test('beyond the limit is refused, leaves nothing behind, and leaves the stream open for whoever answers', async () => {
        const before = await kept()
        const source = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(600)))
        await expect(storage.blobs.put(source, 1_000)).rejects.toMatchObject({ code: 'body_too_large' })
        expect(source.destroyed).toBe(false)
        await expect(storage.objects.put(Buffer.alloc(11), 10)).rejects.toMatchObject({ code: 'body_too_large' })
        expect(await kept()).toEqual(before)
      })

      test('at the limit is none', async () => {
        expect(await storage.blobs.put(Buffer.alloc(1_000), 1_000)).toMatchObject({ length: 1_000 })
      })

      test('because its source broke off leaves nothing behind', async () => {
        async function* broken() {
          yield Buffer.from('half')
          throw new Error('the caller hung up')
        }
        const before = await kept()
        const source = () => Readable.from(broken(), { objectMode: false })
        await expect(storage.blobs.put(source())).rejects.toThrow('the caller hung up')
        await expect(storage.objects.put(source(), 100)).rejects.toThrow('the caller hung up')
        expect(await kept()).toEqual(before)
      })
    })

    describe('the file of an upload', () => {
      const read = async (objects: ObjectFiles, file: string, start: number, end: number) =>
        buffer(await objects.open({ file, start, end }))

      test('is told of as S3 does, and any part of it can be read', async () => {
        const bytes = randomBytes(400_000)
        const { file, length, etag } = await storage.objects.put(streamOf(bytes), 1_000_000)
        expect([length, etag]).toEqual([400_000, md5(bytes)])
        expect(await read(storage.objects, file, 0, 399_999)).toEqual(bytes)
        expect(await read(storage.objects, file, 0, 0)).toEqual(bytes.subarray(0, 1))
        expect(await read(storage.objects, file, 123_456, 234_567)).toEqual(bytes.subarray(123_456, 234_568))
      })

      test('is shared by nobody, however equal, and goes at once', async () => {
        const [one, other] = await Promise.all([1, 2].map(() => storage.objects.put(Buffer.from('equal'), 10)))
        await storage.objects.remove(one!.file)
        await storage.objects.remove(one!.file)
        await expect(storage.objects.open({ file: one!.file, start: 0, end: 4 })).rejects.toThrow()
        expect((await read(storage.objects, other!.file, 0, 4)).toString()).toBe('equal')
        const left = await all(storage.objects)
        expect([left.includes(one!.file), left.includes(other!.file)]).toEqual([false, true])
      })

      test('is no blob', async () => {
        const { file } = await storage.objects.put(Buffer.from('x'), 10)
        const { key } = await storage.blobs.put(Buffer.from('x'))
        expect([await all(storage.objects), await all(storage.blobs)]).toEqual([
          expect.not.arrayContaining([key]),
          expect.not.arrayContaining([file]),
        ])
      })
    })
  })
})
