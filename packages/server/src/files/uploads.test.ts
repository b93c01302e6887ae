import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { manualClock } from '../testing/clock.ts'
import type { Draft } from './staging.ts'
import { openStaging } from './staging.ts'
import { openUploads, type Uploads } from './uploads.ts'

const clock = manualClock(1_800_000_000_000)
const anns = { accountId: 'ann', target: '/data/x' }
const md5 = (content: string) => createHash('md5').update(content).digest('hex')
let folder = ''
let uploads: Uploads

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-uploads-'))
  uploads = await opened()
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** As each start of the server opens them. */
async function opened(): Promise<Uploads> {
  const staging = await openStaging({ folder: join(folder, '.incoming'), keepFree: 0 })
  return openUploads({ folder: join(folder, '.parts'), staging, clock })
}

/** Names of what is on disk. */
const onDisk = async () =>
  (await Promise.all(['.incoming', '.parts'].map((name) => readdir(join(folder, name))))).flat()

const part = (id: string, number: number, content: string, of = anns) => uploads.part(id, of, number, bytes(content))
const parts = (...contents: string[]) => contents.map((content, index) => ({ number: index + 1, etag: md5(content) }))

test('parts in any order become one file, and asking again changes nothing', async () => {
  const id = await uploads.begin(anns, 100)
  await Promise.all([part(id, 2, 'two'), part(id, 1, 'wrong')])
  expect(await part(id, 1, 'one')).toBe(md5('one'))
  const seen: string[] = []
  const use = async ({ path, md5: whole }: Draft) => {
    seen.push(await readFile(path, 'utf8'))
    return whole
  }
  const both = [1, 2].map(() => uploads.complete(id, anns, parts('one', 'two'), use))
  expect(await Promise.all(both)).toEqual([md5('onetwo'), md5('onetwo')])
  expect(seen).toEqual(['onetwo'])
  expect(await onDisk()).toEqual([])
})

test('a file may be empty', async () => {
  const id = await uploads.begin(anns, 100)
  await part(id, 1, '')
  expect(await uploads.complete(id, anns, parts(''), async ({ length }) => String(length))).toBe('0')
})

test('a part that arrived otherwise than it was sent, or not at all, is said', async () => {
  const use = () => Promise.reject(new Error('must not be used'))
  const one = await uploads.begin(anns, 100)
  await part(one, 1, 'one')
  await expect(uploads.complete(one, anns, parts('other'), use)).rejects.toThrow('Part 1 did not arrive')
  const two = await uploads.begin(anns, 100)
  await part(two, 1, 'one')
  await part(two, 2, 'two')
  await expect(uploads.complete(two, anns, parts('one'), use)).rejects.toThrow('2 parts have arrived')
})

test('a restart loses no part, whatever stood in its place before, and no end', async () => {
  const id = await uploads.begin(anns, 100)
  await part(id, 1, 'wrong')
  await part(id, 1, 'one')
  const idle = await uploads.begin(anns, 100)
  uploads = await opened()
  expect(await part(id, 2, 'two')).toBe(md5('two'))
  const use = ({ path }: Draft) => readFile(path, 'utf8')
  expect(await uploads.complete(id, anns, parts('one', 'two'), use)).toBe('onetwo')
  uploads = await opened()
  await expect(part(id, 3, 'x')).rejects.toMatchObject({ code: 'upload_not_found' })
  expect(await onDisk()).toEqual([idle])
})

test('what could not be put in its place, or was listed wrong, may be completed again', async () => {
  const id = await uploads.begin(anns, 100)
  await part(id, 1, 'one')
  const full = () => Promise.reject(new Error('no room'))
  await expect(uploads.complete(id, anns, parts('one'), full)).rejects.toThrow('no room')
  await expect(uploads.complete(id, anns, parts('other'), full)).rejects.toThrow('did not arrive')
  expect(await uploads.complete(id, anns, parts('one'), async (whole) => whole.md5)).toBe(md5('one'))
})

test('the limit holds for all parts together', async () => {
  const id = await uploads.begin(anns, 5)
  await part(id, 1, 'four')
  await expect(part(id, 2, 'four')).rejects.toMatchObject({ code: 'body_too_large' })
  await expect(part(id, 0, '')).rejects.toMatchObject({ code: 'bad_request' })
})

test('an upload is its account’s and its file’s alone, and ends when it is cancelled or a day old', async () => {
  const unknown = { code: 'upload_not_found' }
  const id = await uploads.begin(anns, 100)
  await expect(part(id, 1, 'x', { ...anns, accountId: 'bob' })).rejects.toMatchObject(unknown)
  await expect(part(id, 1, 'x', { ...anns, target: '/data/y' })).rejects.toMatchObject(unknown)
  await part(id, 1, 'x')
  await uploads.cancel(id, anns)
  await expect(part(id, 2, 'x')).rejects.toMatchObject(unknown)
  const old = await uploads.begin(anns, 100)
  await part(old, 1, 'x')
  clock.advance(25 * 60 * 60_000)
  await uploads.expire()
  await expect(part(old, 2, 'x')).rejects.toMatchObject(unknown)
  expect(await onDisk()).not.toContain(old)
})

test('an account has so many open and no more', async () => {
  await Promise.all(Array.from({ length: 1_000 }, () => uploads.begin(anns, 1)))
  await expect(uploads.begin(anns, 1)).rejects.toMatchObject({ code: 'too_busy' })
  await uploads.begin({ ...anns, accountId: 'bob' }, 1)
})

async function* bytes(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content)
}
