import { mkdir, mkdtempDisposable, readdir, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Deps } from '../api/deps.ts'
import { pruneSystem } from '../api/system/prune.ts'
import { openLocalBlobs } from '../blobs/local-blobs.ts'
import { createBuilder } from '../builder/local-builder.ts'
import { presets, held } from '../domain/permissions.ts'
import { pend, start } from '../domain/runner.ts'
import { silent } from '../kit/logger.ts'
import { pruneCaches, prunesOf } from './prunes.ts'
import { deleteApp } from '../store/apps.ts'
import { registerRevision } from '../store/next-revisions.ts'
import { addRunner } from '../store/runners.ts'
import { manualClock } from '../testing/clock.ts'
import { testSpec } from '../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../testing/store.ts'

const dayMs = 86_400_000
const id = (digit: string) => digit.repeat(64)
const operator = {
  accountId: 'account-1',
  nickname: 'ann',
  keyId: 'key',
  permissions: held(presets.ADMIN, { operator: true }),
}

/** Four finished environments: `a` a revision names, `b` only a deleted one, `c` one with a live runner, `d` was asked for just now. */
async function openWorld() {
  const folder = await mkdtempDisposable(join(tmpdir(), 'carrick-prune-'))
  const now = Date.now()
  const clock = manualClock(now)
  const old = (now - 2 * dayMs) / 1_000
  const environments = join(folder.path, 'environments')
  for (const digit of ['a', 'b', 'c', 'd']) {
    await mkdir(join(environments, id(digit), 'one', 'bin'), { recursive: true })
    await writeFile(join(environments, id(digit), 'one', 'bin', 'python'), Buffer.alloc(1_000_000))
    await writeFile(join(environments, id(digit), 'finished'), 'one')
    if (digit !== 'd') await utimes(join(environments, id(digit), 'finished'), old, old)
  }
  const cacheFolder = join(folder.path, 'cache')
  for (const name of ['uv', 'tools']) await mkdir(join(cacheFolder, name), { recursive: true })
  await writeFile(join(cacheFolder, 'uv', 'wheel'), Buffer.alloc(500_000))
  const builder = await createBuilder({ folder: environments, cacheFolder })
  const blobs = await openLocalBlobs({ folder: join(folder.path, 'blobs'), clock })
  const store = await openTestStore()
  await addTestAccount(store)
  const put = async (text: string, isOld = true) => {
    const { key } = await blobs.put(Buffer.from(text))
    if (isOld) await utimes(blobs.pathOf(key), old, old)
    return key
  }
  async function revision(digit: string): Promise<string> {
    const callable = { method: 'dill', blob: await put(`pickle ${digit}`) }
    const files = [{ path: 'a', mode: 0o644, blob: await put(`file ${digit}`) }]
    const spec = { ...testSpec(), callable, files, environmentId: id(digit) }
    const app = { id: `app-${digit}`, accountId: 'account-1', name: `app-${digit}`, environment: 'main' }
    const next = {
      revisionId: `r-${digit}`,
      strategy: 'recreate',
      scale: spec.scale,
      basedOn: spec.scale,
      authMode: 'private',
      now: 1,
    } as const
    await store.commit(registerRevision(app, spec, next))
    return next.revisionId
  }
  for (const digit of ['a', 'b', 'c']) await revision(digit)
  const of = {
    id: 'runner',
    accountId: 'account-1',
    appId: 'app-c',
    revisionId: 'r-c',
    createdAt: 0,
    machineType: 'XS',
  }
  await store.commit(addRunner(start(pend(of, 0), 1, 0)))
  for (const digit of ['b', 'c']) await store.commit(deleteApp(`app-${digit}`, 2))
  await put('stray')
  await put('fresh', false)
  const leftovers = pruneCaches(builder)
  const prunes = prunesOf({ foundation: { blobs, log: silent }, runtime: { builder, leftovers }, standIns: new Set() })
  const deps = { prunes, store, clock, log: silent, isDraining: () => false } as unknown as Deps
  const attention = { signal: new AbortController().signal, say: () => {} }
  const there = async () => ({
    environments: (await readdir(environments, { recursive: true }))
      .filter((name) => name.endsWith('/finished'))
      .map((name) => name[0] ?? '')
      .toSorted((one, other) => one.localeCompare(other)),
    caches: await readdir(cacheFolder),
    blobs: (await Promise.all(blobs.prefixes.map((prefix) => blobs.keysUnder(prefix)))).flat().length,
  })
  return {
    prune: (how: { dryRun?: boolean; all?: boolean }) => pruneSystem(deps, operator, how, attention),
    there,
    builder,
    async [Symbol.asyncDispose]() {
      await store.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

const all = { environments: ['a', 'b', 'c', 'd'], caches: ['tools', 'uv'], blobs: 8 }

test('a dry run tells what would go, with its size, and takes nothing away', async () => {
  await using world = await openWorld()
  const found = await world.prune({ dryRun: true })
  expect(found).toEqual([
    { kind: 'environment', name: id('b'), count: 1, bytes: expect.any(Number) },
    // Pickle and file of what was deleted, twice, and one that never had a row.
    { kind: 'blob', name: 'that no row names', count: 5, bytes: expect.any(Number) },
  ])
  expect(found[0]?.bytes).toBeGreaterThan(1_000_000)
  expect(await world.there()).toEqual(all)
})

test('what a revision names, a live runner uses or a deploy may be about to name stays', async () => {
  await using world = await openWorld()
  const told = await world.prune({ dryRun: true })
  expect(await world.prune({})).toEqual(told)
  expect(await world.there()).toEqual({ environments: ['a', 'c', 'd'], caches: ['tools', 'uv'], blobs: 3 })
  expect(await world.builder.has(id('a'))).toBe(true)
  expect(await world.prune({})).toEqual([])
})

test('with --all caches go too, but for tools', async () => {
  await using world = await openWorld()
  expect((await world.prune({ all: true, dryRun: true })).map(({ kind }) => kind)).toEqual([
    'environment',
    'blob',
    'cache',
  ])
  expect(await world.there()).toEqual(all)
  await world.prune({ all: true })
  expect((await world.there()).caches).toEqual(['tools'])
})

test('whoever does not look after the server may not', async () => {
  await using world = await openWorld()
  const other = { ...operator, permissions: held(presets.ADMIN, { operator: false }) }
  await expect(
    pruneSystem({} as Deps, other, {}, { signal: new AbortController().signal, say: () => {} }),
  ).rejects.toMatchObject({ code: 'forbidden' })
  expect(await world.there()).toEqual(all)
})
