import { mkdtempDisposable, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CarrickError } from '../domain/errors.ts'
import { manualClock } from '../testing/clock.ts'
import { DataQuotas } from './data-quotas.ts'

const file = (length: number) => async (limit: number) => {
  if (length > limit) throw new CarrickError('body_too_large', `larger than ${limit}`)
  return { length }
}

async function open(ofServer = 1_000_000) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'carrick-quota-'))
  const clock = manualClock(1_000_000)
  const quotas = new DataQuotas({ folderOf: async () => folder.path, clock, ofServer, everyMs: 60_000 })
  return { quotas, clock, path: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() }
}

test('what comes through the API counts at once, and what is too much is refused by the quota and not by the limit of files', async () => {
  await using world = await open()
  const { quotas } = world
  await quotas.within('a', 10_000_000, file(900_000))
  await expect(quotas.within('a', 10_000_000, file(200_000))).rejects.toMatchObject({ code: 'data_quota_exceeded' })
  await expect(quotas.within('a', 50_000, file(60_000))).rejects.toMatchObject({ code: 'body_too_large' })
  await quotas.within('a', 10_000_000, file(100_000))
  expect(() => quotas.roomOf('a')).toThrow(/may keep 1000000 bytes in \/data and has 1000000/)
  expect(quotas.usageOf('a')).toEqual({ used: 1_000_000, limit: 1_000_000 })
  expect(quotas.isOver('a')).toBe(false)
  await quotas.within('b', 10_000_000, file(900_000))
})

test('what runners write is measured, and what was counted meanwhile is not counted twice', async () => {
  await using world = await open()
  const { quotas, path } = world
  await quotas.within('a', Infinity, file(700_000))
  await writeFile(join(path, 'large'), Buffer.alloc(1_300_000, 1))
  await quotas.measure('a')
  expect(quotas.usageOf('a').used).toBeGreaterThanOrEqual(1_300_000)
  expect(quotas.usageOf('a').used).toBeLessThan(1_500_000)
  expect([quotas.isOver('a'), quotas.isFarOver('a')]).toEqual([true, true])
  await rm(join(path, 'large'))
  await quotas.measure('a')
  expect(quotas.isOver('a')).toBe(false)
})

test('an account is measured when it has a limit and may have changed, now and then', async () => {
  await using world = await open()
  const { quotas, clock } = world
  expect(quotas.isDue('a', false)).toBe(true)
  await quotas.measure('a')
  expect(quotas.isDue('a', true)).toBe(false)
  clock.advance(60_001)
  expect([quotas.isDue('a', true), quotas.isDue('a', false)]).toEqual([true, false])
  await quotas.measure('a')
  quotas.added('a', 0)
  expect(quotas.isDue('a', false)).toBe(false)
  clock.advance(5_001)
  expect(quotas.isDue('a', false)).toBe(true)
  quotas.setOwn(new Map([['a', 0]]))
  expect([quotas.isDue('a', true), quotas.limitOf('a'), quotas.limitOf('b')]).toEqual([false, Infinity, 1_000_000])
})
