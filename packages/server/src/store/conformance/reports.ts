import { beforeAll, describe, expect, test } from 'vitest'
import { endTestRequest } from '../../testing/requests.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { beginEvent, changesOf, deploymentsOf, endEvent, eventsOfAccount, forgetEvents } from '../events.ts'
import {
  exchanged,
  finishedRequestById,
  finishedRequests,
  reportUnits,
  runnerAppOfKey,
  runnerSpans,
  runnerTimes,
} from '../reports.ts'
import { revisionsPage } from '../revisions.ts'
import { addRunner, saveRunner } from '../runners.ts'
import type { Store } from '../store.ts'

const now = 1_800_000_000_000
const app = 'reported'

/** What reports read, on whichever engine. */
export function describeReports(store: () => Store): void {
  describe('reports', () => {
    beforeAll(async () => {
      await registerTestRevision(store(), { app, revision: 'reported-1' }, now)
      await registerTestRevision(store(), { app, revision: 'reported-2' }, now + 1)
      await runner('reported-a', now)
      await runner('reported-b', now + 10)
    })

    /** Starts when it is made, serves after 2 ms, and ends after 5. */
    async function runner(id: string, createdAt: number): Promise<void> {
      const identity = {
        id,
        appId: app,
        accountId: 'account-1',
        revisionId: 'reported-2',
        machineType: 'S',
        createdAt,
        keyId: `key-of-${id}`,
      }
      const address = { host: '127.0.0.1', port: 1 }
      const setup = { ...identity, state: 'setup', startedAt: createdAt, readyBy: createdAt + 100 } as const
      await store().commit(addRunner(setup))
      await store().commit(saveRunner('setup', { ...identity, state: 'serving', address, readyAt: createdAt + 2 }))
      await store().commit(
        saveRunner('serving', { ...identity, state: 'terminated', reason: 'keep_alive', endedAt: createdAt + 5 }),
      )
    }

    test('requests that ended are read by when, the last first, and those of one moment in their order', async () => {
      const end = (id: string, finishedAt: number) =>
        endTestRequest(store(), `${app}/${id}`, {
          appId: app,
          path: `/${id}?x=1`,
          input: `"${id}"`,
          headers: [['x-fal-billable-units', '7']],
          acceptedAt: now,
          startedAt: now + 1,
          finishedAt,
        })
      for (const [id, at] of [
        ['a', now + 10],
        ['b', now + 20],
        ['c', now + 20],
        ['d', now + 30],
      ] as const)
        await end(id, at)
      const page = (from: number, to: number, after?: { finishedAt: number; seq: number }) =>
        store().read(finishedRequests(app, { from, to }, { after, limit: 2 }))
      const first = await page(now, now + 30)
      expect(first.map(({ id, path }) => [id, path])).toEqual([
        ['reported/c', '/c'],
        ['reported/b', '/b'],
      ])
      expect((await page(now, now + 30, first[1])).map(({ id }) => id)).toEqual(['reported/a'])
      expect(await page(now + 31, now + 100)).toEqual([])
      expect(await store().read(finishedRequestById(app, 'reported/d'))).toMatchObject({
        status: 200,
        startedAt: now + 1,
      })
      expect(await store().read(finishedRequestById('another', 'reported/d'))).toBeUndefined()
    })

    test("what an app reported comes before its answer's word, and its first report stands", async () => {
      const units = async () => (await store().read(exchanged(['reported/a']))).map((each) => each.units)
      expect(await units()).toEqual(['7'])
      expect(await store().commit(reportUnits(app, 'reported/a', '1.5', now))).toBe(true)
      expect(await store().commit(reportUnits(app, 'reported/a', '2', now))).toBe(true)
      expect(await store().commit(reportUnits('another', 'reported/b', '2', now))).toBe(false)
      expect(await units()).toEqual(['1.5'])
      expect(await store().read(exchanged([]))).toEqual([])
      expect(await store().read(runnerAppOfKey('key-of-reported-a'))).toBe(app)
      expect(await store().read(runnerAppOfKey('nobody'))).toBeUndefined()
    })

    test('runners are found by when they lived, and their time is cut to the window', async () => {
      const spans = await store().read(runnerSpans(app, { from: now, to: now + 100 }, 10))
      expect(spans).toMatchObject([
        { id: 'reported-b', startedAt: now + 10, readyAt: now + 12, endedAt: now + 15, endReason: 'keep_alive' },
        { id: 'reported-a' },
      ])
      expect(await store().read(runnerSpans(app, { from: now + 6, to: now + 9 }, 10))).toEqual([])
      const time = async (from: number, to: number) =>
        (await store().read(runnerTimes('account-1', { from, to })))
          .filter((each) => each.app === app)
          .map(({ milliseconds, machineType }) => [machineType, milliseconds])
      expect(await time(now, now + 100)).toEqual([['S', 10]])
      expect(await time(now + 2, now + 12)).toEqual([['S', 5]])
      expect(await time(now + 50, now + 100)).toEqual([])
    })

    test('revisions are read page by page', async () => {
      const page = async (createdAt: number, id: string) =>
        (await store().read(revisionsPage(app, { createdAt, id }, 1))).map((revision) => revision.id)
      expect(await page(Number.MAX_SAFE_INTEGER, '')).toEqual(['reported-2'])
      expect(await page(now + 1, 'reported-2')).toEqual(['reported-1'])
    })

    test('changes are found by account, subject, verb and time, and forgotten when they are old', async () => {
      const begin = (id: string, at: number, action: string) =>
        store().commit(beginEvent({ id, accountId: 'account-1', keyId: 'key', at, action, subject: app, asked: 1 }))
      await begin('1', now, 'deploy')
      await begin('2', now + 10, 'scale_app')
      await store().commit(endEvent('1', { outcome: 'done', at: now + 5, revision: 'reported-1' }))
      const ids = async (filter: object) =>
        (await store().read(eventsOfAccount('account-1', { limit: 10, ...filter }))).map(({ id }) => id)
      expect(await ids({ subject: app })).toEqual(['2', '1'])
      expect(await ids({ subject: app, action: 'deploy' })).toEqual(['1'])
      expect(await ids({ subject: app, since: now + 10 })).toEqual(['2'])
      expect(await ids({ subject: app, until: now + 10, before: '2' })).toEqual(['1'])
      expect(await store().read(deploymentsOf('account-1', app, 10))).toMatchObject([
        { id: '1', endedAt: now + 5, detail: { revision: 'reported-1' } },
      ])
      const changes = await store().read(changesOf('account-1', app, { from: now + 5, to: now + 10 }, 10))
      expect(changes.map(({ id }) => id)).toEqual(['1'])
      expect(await store().commit(forgetEvents(now + 10, 10))).toBe(1)
      expect(await ids({ subject: app })).toEqual(['2'])
    })
  })
}
