import { mkdtempDisposable, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLocalBlobs } from '../../blobs/local-blobs.ts'
import { silent } from '../../kit/logger.ts'
import { acceptRequest, finishAttempt } from '../../store/requests.ts'
import { forgetRequests } from '../../store/retention.ts'
import { manualClock } from '../../testing/clock.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addTestAccount, openTestStore } from '../../testing/store.ts'
import { sweepFiles } from './file-sweep.ts'

const now = 1_800_000_000_000
const hour = 3_600_000

test('the body of a request that was swept goes, and environments are asked for by what revisions name', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'carrick-files-'))
  await using store = await openTestStore()
  await addTestAccount(store)
  const appId = await registerTestRevision(store, { revision: 'revision-1' }, now)
  const blobs = await openLocalBlobs({ folder: folder.path })
  for (const id of ['old', 'kept']) {
    const { key, length } = await blobs.put(Buffer.from(`the body of ${id}`))
    await utimes(blobs.pathOf(key), (now - 2 * hour) / 1_000, (now - 2 * hour) / 1_000)
    const payload = { method: 'POST', path: '/', headers: [], body: { blob: key, length }, callerId: 'c' }
    const retry = { forbidden: false, budgets: {} }
    const request = { id, appId, priority: 'normal', acceptedAt: now, retry, payload } as const
    await store.commit(acceptRequest(request, { runnerId: 'runner', now }))
    const outcome = { status: 200, headers: [], body: { inline: new Uint8Array() } }
    await store.commit(finishAttempt({ requestId: id, attempt: 1, outcome, now }))
  }
  await store.commit(forgetRequests(['old']))
  const asked: unknown[] = []
  const environments = { sweep: async (...all: unknown[]) => (asked.push(all), 3) }
  const parts = { blobs, environments, store, clock: manualClock(now), log: silent }
  expect(await sweepFiles(parts, new AbortController().signal)).toEqual({ blobs: 1, environments: 3 })
  expect(asked).toEqual([[new Set(['environment-1']), now - 30 * 24 * hour]])
})
