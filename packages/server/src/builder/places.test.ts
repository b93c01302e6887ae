import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Places } from './places.ts'

const id = 'a'.repeat(64)
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carrick-places-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** What a build leaves, before it is finished. */
async function aDraft(places: Places): Promise<string> {
  const generation = await places.newPlace(id)
  await mkdir(join(places.folderOf(id, generation), 'bin'))
  await symlink(process.execPath, join(places.folderOf(id, generation), 'bin/python'))
  return generation
}

test('an environment counts from the moment at which it is finished, also for the next server', async () => {
  const places = await Places.open(folder)
  const generation = await aDraft(places)
  expect(await places.has(id)).toBe(false)
  await places.finish(id, generation)
  expect(await places.has(id)).toBe(true)
  const next = await Places.open(folder)
  expect(await next.has(id)).toBe(true)
  expect(next.folderOf(id)).toBe(places.folderOf(id, generation))
})

test('what was not finished is removed when the folder is opened', async () => {
  await aDraft(await Places.open(folder))
  expect(await (await Places.open(folder)).has(id)).toBe(false)
  expect(await readdir(folder)).toEqual([])
})

test('a newer generation takes over, and the older stays until the folder is opened again', async () => {
  const places = await Places.open(folder)
  const older = await aDraft(places)
  await places.finish(id, older)
  const newer = await aDraft(places)
  expect(places.folderOf(id)).toBe(places.folderOf(id, older))
  await places.finish(id, newer)
  expect(places.folderOf(id)).toBe(places.folderOf(id, newer))
  expect(await readdir(join(folder, id))).toContain(older)
  await Places.open(folder)
  expect((await readdir(join(folder, id))).toSorted()).toEqual([newer, 'finished'].toSorted())
})

test('what somebody deleted, or whose interpreter is gone, no longer counts', async () => {
  const places = await Places.open(folder)
  const generation = await aDraft(places)
  await places.finish(id, generation)
  await rm(join(places.folderOf(id), 'bin/python'))
  expect(await places.has(id)).toBe(false)
})

test('a marker that names nothing here is no promise, and other files are left alone', async () => {
  await mkdir(join(folder, id))
  await writeFile(join(folder, id, 'finished'), '../../somewhere')
  await writeFile(join(folder, 'README'), 'mine')
  expect(await (await Places.open(folder)).has(id)).toBe(false)
  expect(await readdir(folder)).toEqual(['README'])
})

test('what is not named and was not asked for goes; it can be built again, and what is named or was used stays', async () => {
  const places = await Places.open(folder)
  const older = await aDraft(places)
  await places.finish(id, older)
  await places.use(id, 5_000)
  expect(await places.sweep(new Set([id]), 10_000)).toBe(0)
  expect(await places.sweep(new Set(), 5_000)).toBe(0)
  expect(await places.has(id)).toBe(true)
  expect(await places.sweep(new Set(), 10_000)).toBe(1)
  expect([await places.has(id), await readdir(join(folder, id))]).toEqual([false, []])
  await places.finish(id, await aDraft(places))
  expect(await places.has(id)).toBe(true)
  expect(await places.sweep(new Set(), 10_000)).toBe(0)
})
