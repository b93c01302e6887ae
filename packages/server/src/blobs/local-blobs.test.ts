import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BlobStore } from './blob-store.ts'
import { openLocalBlobs } from './local-blobs.ts'

let folder = ''
let blobs: BlobStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-blobs-'))
  blobs = await openLocalBlobs({ folder })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const drafts = () => readdir(join(folder, 'incoming'))

describe('a blob', () => {
  test('has the SHA-256 of its bytes as its key, and comes back as it went in', async () => {
    const bytes = Buffer.from('one two three')
    const { key, length } = await blobs.put(bytes)
    expect(key).toBe(sha256(bytes))
    expect(length).toBe(bytes.length)
    expect(await buffer(await blobs.open(key))).toEqual(bytes)
    expect(await readFile(blobs.pathOf(key))).toEqual(bytes)
  })

  test('may come as a stream of many chunks', async () => {
    const chunks = Array.from({ length: 100 }, (_, index) => Buffer.alloc(70_000, index))
    const { key, length } = await blobs.put(Readable.from(chunks, { objectMode: false }))
    expect(key).toBe(sha256(Buffer.concat(chunks)))
    expect(length).toBe(7_000_000)
  })

  test('may be empty', async () => {
    const { key } = await blobs.put(new Uint8Array())
    expect(await buffer(await blobs.open(key))).toHaveLength(0)
  })

  test('may be put by many at once, and is stored once', async () => {
    const puts = await Promise.all(Array.from({ length: 20 }, () => blobs.put(Buffer.from('same'))))
    expect(new Set(puts.map(({ key }) => key)).size).toBe(1)
    expect(await readdir(join(folder, puts[0]!.key.slice(0, 2)))).toEqual([puts[0]!.key])
  })

  test('is still there when the folder is opened again', async () => {
    const { key } = await blobs.put(Buffer.from('lasting'))
    const again = await openLocalBlobs({ folder })
    expect((await buffer(await again.open(key))).toString()).toBe('lasting')
  })
})

describe('a put that fails', () => {
  test('beyond the limit is refused, leaves nothing behind, and leaves the stream open for whoever answers', async () => {
    const source = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(600)))
    await expect(blobs.put(source, 1_000)).rejects.toMatchObject({ code: 'body_too_large' })
    expect(await drafts()).toEqual([])
    expect(source.destroyed).toBe(false)
  })

  test('at the limit is none', async () => {
    expect(await blobs.put(Buffer.alloc(1_000), 1_000)).toMatchObject({ length: 1_000 })
  })

  test('because its source broke off leaves nothing behind', async () => {
    async function* broken() {
      yield Buffer.from('half')
      throw new Error('the caller hung up')
    }
    await expect(blobs.put(Readable.from(broken(), { objectMode: false }))).rejects.toThrow('the caller hung up')
    expect(await drafts()).toEqual([])
  })
})

test('what a dead process left half written is gone after the folder is opened', async () => {
  await writeFile(join(folder, 'incoming', 'left-behind'), 'half')
  await openLocalBlobs({ folder })
  expect(await drafts()).toEqual([])
})

test('what was just put is not old, whatever the clock of the machine was set to', async () => {
  const aheadMs = 86_400_000
  const now = () => Date.now() + aheadMs
  const ahead = await openLocalBlobs({ folder, clock: { now } })
  const { key } = await ahead.put(Buffer.from('its row is on the way'))
  expect(await ahead.discard(key, now() - 3_600_000)).toBe(false)
  expect(await ahead.discard(key, now() + 3_600_000)).toBe(true)
})

test('a disk that fails is not gone on with', async () => {
  const told: unknown[] = []
  const failing = await openLocalBlobs({ folder, onFatal: ({ message }) => void told.push(message) })
  const error = Object.assign(new Error('i/o error'), { code: 'EIO' })
  const body = Readable.from(
    (function* () {
      yield Buffer.from('half')
      throw error
    })(),
  )
  await expect(failing.put(body)).rejects.toBe(error)
  await expect(failing.put(Buffer.alloc(10), 5)).rejects.toMatchObject({ code: 'body_too_large' })
  expect(told).toEqual(['i/o error'])
})

test('what is not a key names no file', () => {
  expect(() => blobs.pathOf('../../etc/passwd')).toThrow('is not the key of a blob')
})

const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0

describe.skipIf(!mayMount)('a full disk (needs root to mount a small one)', () => {
  const small = () => join(folder, 'small')

  beforeEach(async () => {
    await mkdir(small())
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small()])
  })
  afterEach(() => execFileSync('umount', [small()]))

  test('is said, and room is given back', async () => {
    const tight = await openLocalBlobs({ folder: small() })
    await expect(tight.put(Buffer.alloc(4_000_000))).rejects.toMatchObject({ code: 'disk_full' })
    expect(await tight.put(Buffer.alloc(1_000))).toMatchObject({ length: 1_000 })
  })
})
