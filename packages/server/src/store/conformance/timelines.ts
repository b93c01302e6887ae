import { beforeAll, describe, expect, test } from 'vitest'
import type { NewRequest, Outcome } from '../../domain/request.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { acceptRequest, finishAttempt, retryLater, startAttempt } from '../requests.ts'
import { addRunner, saveRunner } from '../runners.ts'
import type { Store } from '../store.ts'
import { noteLaunch, timelineOf } from '../timelines.ts'

const now = 1_800_000_000_000
const outcome: Outcome = { status: 200, headers: [], body: { inline: new Uint8Array() }, runnerId: 'timed-cold' }
const address = { host: '127.0.0.1', port: 1 }

/** Where requests' time went, on whichever engine. */
export function describeTimelines(store: () => Store): void {
  describe('tells where the time of a request went:', () => {
    const accept = (id: string) => store().commit(acceptRequest(request(id)))
    const timeline = (id: string, at: number) => timelineOf(store(), id, now + at)

    beforeAll(async () => void (await registerTestRevision(store(), { app: 'timed', revision: 'timed-1' }, now)))

    test('while it waits, by the runner that comes up; later by the one that took it, and by its attempts', async () => {
      const id = 'timed/a'
      await accept(id)
      expect(await timeline(id, 10)).toMatchObject({ totalMs: 10, durations: { queued: 10 }, attempts: [] })
      const runner = { ...identity('timed-cold', now + 10), state: 'pending', startAt: now + 10 } as const
      await store().commit(addRunner(runner))
      expect(await timeline(id, 15)).toMatchObject({ durations: { queued: 10, waiting_for_machine: 5 } })
      const setup = { ...runner, state: 'setup', startedAt: now + 20, readyBy: now + 1_000 } as const
      await store().commit(saveRunner('pending', setup))
      expect(await timeline(id, 25)).toMatchObject({ durations: { waiting_for_machine: 10, starting: 5 } })
      for (const at of [30, 31]) await store().commit(noteLaunch('timed-cold', now + at))
      expect(await timeline(id, 40)).toMatchObject({ durations: { starting: 10, set_up: 10 } })
      await store().commit(saveRunner('setup', { ...runner, state: 'serving', address, readyAt: now + 70 }))

      await store().commit(startAttempt({ requestId: id, attempt: 1, runnerId: 'timed-cold', now: now + 75 }))
      const startUp = { queued: 15, waiting_for_machine: 10, starting: 10, set_up: 40 }
      expect(await timeline(id, 80)).toMatchObject({ totalMs: 80, durations: { ...startUp, running: 5 } })
      const failed = { at: now + 85, status: 503, retryAt: now + 100 }
      await store().commit(retryLater({ requestId: id, attempt: 1, dueAt: now + 100, used: {}, failed }))
      expect(await timeline(id, 90)).toMatchObject({ durations: { ...startUp, running: 10, backing_off: 5 } })
      await store().commit(startAttempt({ requestId: id, attempt: 2, runnerId: 'timed-cold', now: now + 101 }))
      const finish = finishAttempt({ requestId: id, attempt: 2, outcome, answeredAt: now + 120, now: now + 123 })
      expect(await store().commit(finish)).toBe(true)
      expect(await timeline(id, 5_000)).toMatchObject({
        totalMs: 123,
        durations: { ...startUp, queued: 16, running: 29, backing_off: 15, storing: 3 },
        attempts: [{ number: 1, failedAs: '503', runnerId: 'timed-cold' }, { number: 2 }],
      })
    })

    test('a runner that comes up is no part of a wait for one that serves', async () => {
      await accept('timed/b')
      await store().commit(addRunner({ ...identity('timed-next', now), state: 'pending', startAt: now }))
      expect(await timeline('timed/b', 10)).toMatchObject({ durations: { queued: 10, waiting_for_machine: 0 } })
    })

    test('of a request that is not there it says nothing', async () => {
      expect(await timeline('timed/none', 0)).toBeUndefined()
    })
  })
}

function identity(id: string, createdAt: number) {
  return { id, appId: 'timed', accountId: 'account-1', revisionId: 'timed-1', machineType: 'S', createdAt }
}

function request(id: string): NewRequest {
  const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'c' }
  return { id, appId: 'timed', priority: 'normal', acceptedAt: now, retry: { forbidden: false, budgets: {} }, payload }
}
