import { mkdtempDisposable, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Placed } from '../../domain/placement.ts'
import { DataQuotas } from '../../files/data-quotas.ts'
import { silent } from '../../kit/logger.ts'
import type { LogLine } from '../../logs/log-store.ts'
import { setDataQuota } from '../../store/accounts.ts'
import { manualClock } from '../../testing/clock.ts'
import { addTestAccount, openTestStore } from '../../testing/store.ts'
import { QuotaWatch } from './quota-watch.ts'

const never = new AbortController().signal

async function open(withoutMounts?: string) {
  const folder = await mkdtempDisposable(join(tmpdir(), 'carrick-watch-'))
  const store = await openTestStore()
  await addTestAccount(store)
  const clock = manualClock(1_000_000)
  const quotas = new DataQuotas({ folderOf: async () => folder.path, clock, ofServer: 1_000_000, everyMs: 60_000 })
  const lines: LogLine[] = []
  const stopped: string[] = []
  let placed = ['r1', 'r2'].map((id) => ({ id, accountId: 'account-1' }) as Placed)
  const apps = { all: () => [{ app: { id: 'app-1', accountId: 'account-1' } }] } as never
  const runners = { placed: () => placed, stopRunner: async (id: string) => void stopped.push(id) }
  const logs = { append: (line: LogLine) => void lines.push(line) }
  const watch = new QuotaWatch({ quotas, store, apps, runners, logs, clock, log: silent, withoutMounts })
  return {
    store,
    quotas,
    lines,
    stopped,
    start: (id: string) => (placed = [...placed, { id, accountId: 'account-1' } as Placed]),
    /** So much is there from now on, and it is looked at. */
    async holds(bytes: number) {
      await writeFile(join(folder.path, 'file'), Buffer.alloc(bytes, 1))
      clock.advance(60_001)
      await watch.pass(never)
    },
    lookAgain: () => watch.lookAgain(),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder.path, { recursive: true, force: true })
    },
  }
}

test('apps of an account that is over its limit are told, once; who is far over loses the runners that can write', async () => {
  await using world = await open()
  await world.holds(500_000)
  expect([world.lines, world.quotas.isOver('account-1')]).toEqual([[], false])
  await world.holds(1_050_000)
  await world.holds(1_051_000)
  expect(world.lines).toMatchObject([{ appId: 'app-1', message: expect.stringContaining('may keep no more in /data') }])
  expect(world.stopped).toEqual([])
  world.start('r3') // which cannot write
  await world.holds(1_500_000)
  await world.holds(1_600_000)
  expect(world.stopped).toEqual(['r1', 'r2'])
  await world.holds(100_000)
  expect(world.lines.at(-1)?.message).toContain('is within what it may keep')
  expect(world.lines).toHaveLength(3)
})

test('where no runner can be kept from writing none is ended for it', async () => {
  await using world = await open('this is a test')
  await world.holds(1_500_000)
  expect([world.stopped, world.lines.length]).toEqual([[], 1])
})

test('a limit of its own counts as soon as it is set', async () => {
  await using world = await open()
  await world.store.commit(setDataQuota('ann', 100_000))
  await world.holds(500_000)
  expect(world.quotas.isOver('account-1')).toBe(true)
  await world.store.commit(setDataQuota('ann', undefined))
  world.lookAgain()
  await world.holds(500_000)
  expect(world.quotas.isOver('account-1')).toBe(false)
  expect(await world.store.commit(setDataQuota('nobody', 1))).toBe(false)
})
