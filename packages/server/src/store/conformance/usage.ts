import { beforeAll, describe, expect, test } from 'vitest'
import { hourMs, nothing, type UsagePart } from '../../domain/usage.ts'
import { endTestRequest } from '../../testing/requests.ts'
import { registerTestRevision } from '../../testing/scheduler.ts'
import { addKey } from '../keys.ts'
import { addPrices, machinePrices } from '../machine-prices.ts'
import { reportUnits } from '../reports.ts'
import { acceptRequest, completeWaiting } from '../requests.ts'
import { addRunner, saveRunner } from '../runners.ts'
import type { Store } from '../store.ts'
import * as usage from '../usage.ts'
import { countRequests, openRequests, requestsBehind } from '../usage-requests.ts'

const noon = 500_000 * hourMs
const app = 'used'
const window = { from: noon, to: noon + 24 * hourMs }

/** What usage is kept in, on whichever engine. */
export function describeUsage(store: () => Store): void {
  describe('usage', () => {
    beforeAll(async () => {
      await registerTestRevision(store(), { app, revision: 'used-1' }, noon)
      await runner('used-a', noon + 10)
      const key = {
        id: 'used-key',
        accountId: 'account-1',
        secretHash: new Uint8Array(32),
        permissions: [],
        alias: 'k',
      }
      await store().commit(addKey({ ...key, createdAt: 0, holder: 'person' }))
    })

    const identity = (id: string, createdAt: number) => ({
      id,
      appId: app,
      accountId: 'account-1',
      revisionId: 'used-1',
      machineType: 'GPU-H100',
      createdAt,
      placement: { machineId: 'here', machineType: 'GPU-H100', cpus: 1, memoryBytes: 1, gpus: [0, 3] },
    })

    async function runner(id: string, startedAt: number): Promise<void> {
      const setup = { ...identity(id, startedAt - 5), state: 'setup', startedAt, readyBy: startedAt + 100 } as const
      await store().commit(addRunner(setup))
    }

    const end = (id: string, endedAt: number) =>
      store().commit(saveRunner('setup', { ...identity(id, 0), state: 'terminated', reason: 'crash', endedAt }))

    const part = (more: Partial<UsagePart>): UsagePart => ({
      ...nothing,
      hour: noon,
      appId: app,
      revisionId: 'used-1',
      machineType: 'S',
      callerId: 'account-1',
      keyId: '',
      ...more,
    })

    const sums = async (by: usage.SumsAsked['by'], more: Partial<usage.SumsAsked> = {}) =>
      (await store().read(usage.usageSums({ accountId: 'account-1', view: 'owned', window, by, ...more })))
        .filter((sum) => sum.appId === app)
        .toSorted((one, other) => one.hour - other.hour || (one.keyId < other.keyId ? -1 : 1))

    test('sums grow, and are told apart by what is asked for', async () => {
      const first = part({ runnerMs: 10, gpuMs: 20, requests: 1, units: 5e15 })
      await store().commit(usage.storeUsage([first, part({ keyId: 'used-key', requests: 2 })], noon))
      await store().commit(usage.storeUsage([first, part({ hour: noon + hourMs, callerId: 'x', runnerMs: -3 })], noon))
      expect(await sums([])).toMatchObject([{ runnerMs: 17, gpuMs: 40, requests: 4, units: 1e16, keyId: '', hour: 0 }])
      expect(await sums(['key'])).toMatchObject([
        { keyId: '', requests: 2, runnerMs: 17, callerId: '' },
        { keyId: 'used-key', requests: 2 },
      ])
      expect(await sums([], { bucketMs: hourMs })).toMatchObject([
        { hour: noon, requests: 4, runnerMs: 20, owner: 'ann', app: 'used', environment: 'main' },
        { hour: noon + hourMs, requests: 0, runnerMs: -3 },
      ])
      expect(await sums([], { window: { from: noon + hourMs, to: noon + 2 * hourMs } })).toMatchObject([
        { runnerMs: -3 },
      ])
      expect(await sums([], { view: 'paid' })).toMatchObject([{ runnerMs: 20 }])
      expect(await sums([], { view: 'paid', accountId: 'x' })).toMatchObject([{ runnerMs: -3 }])
    })

    test('a runner is counted once, when it has ended', async () => {
      const ids = async () => (await store().read(usage.endedUncounted(100_000))).map(({ id }) => id)
      expect(await ids()).not.toContain('used-a')
      const living = (await store().read(usage.uncountedOf('account-1'))).filter(({ id }) => id === 'used-a')
      expect(living).toEqual([
        expect.objectContaining({ startedAt: noon + 10, gpuCount: 2, app: 'used', environment: 'main' }),
      ])
      await end('used-a', noon + 50)
      expect(await ids()).toContain('used-a')
      expect(await store().read(usage.runnersById(['used-a', 'nobody']))).toMatchObject([{ endedAt: noon + 50 }])
      await store().commit(usage.countRunners(['used-a'], []))
      expect(await ids()).not.toContain('used-a')
    })

    test('a runner that nobody has ended is known until the server was last up', async () => {
      await runner('used-b', noon + 10)
      await store().commit(usage.storeUsage([], noon + 70))
      await store().commit(usage.boundFormerRunners(noon + 60))
      await end('used-b', noon + 900)
      expect(await store().read(usage.runnersById(['used-b']))).toMatchObject([{ knownUntil: noon + 70 }])
      expect(await store().read(usage.areThereRunners())).toBeTypeOf('boolean')
    })

    test('requests are counted in their order, and those that go on when they have ended', async () => {
      const begin = await store().read(usage.countedSeq())
      const before = (await store().read(requestsBehind(begin, 100_000))).at(-1)?.seq ?? begin
      const waiting = { id: 'used/open', appId: app, priority: 'normal', acceptedAt: noon } as const
      const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'c' }
      const retry = { forbidden: false, budgets: {} }
      await store().commit(acceptRequest({ ...waiting, retry, payload }))
      const times = { appId: app, acceptedAt: noon, startedAt: noon, finishedAt: noon + hourMs + 1 }
      await endTestRequest(store(), 'used/done', { ...times, headers: [['x-fal-billable-units', '2']] })
      await endTestRequest(store(), 'used/plain', times)

      const behind = await store().read(requestsBehind(before, 10))
      expect(behind).toMatchObject([
        { hasEnded: false },
        { hasEnded: true, part: { requests: 1, units: 2e8, hour: noon + hourMs, appId: app, callerId: '', keyId: '' } },
        { hasEnded: true, part: { requests: 1, units: 0 } },
      ])
      await store().commit(countRequests({ open: [], behind }, []))
      expect(await store().read(requestsBehind(await store().read(usage.countedSeq()), 10))).toEqual([])
      expect(await store().read(openRequests(10))).toEqual([])

      const outcome = { status: 499, headers: [], body: { inline: new Uint8Array() } }
      await store().commit(completeWaiting({ requestId: 'used/open', outcome, now: noon }))
      expect(await store().commit(reportUnits(app, 'used/done', '5', noon))).toBe(true)
      expect(await store().commit(reportUnits(app, 'used/done', '6', noon))).toBe(true)
      const open = await store().read(openRequests(10))
      expect(open.map(({ part: added }) => added && [added.requests, added.units])).toEqual([undefined, [0, 3e8]])
      await store().commit(countRequests({ open, behind: [] }, []))
      expect(await store().commit(reportUnits(app, 'used/done', '7', noon))).toBe(true)
      expect(await store().read(openRequests(10))).toEqual([])
    })

    test('keys are told from those of runners', async () => {
      const owners = await store().read(usage.ownersOfKeys(['used-key', 'nobody']))
      expect(owners).toEqual([{ id: 'used-key', accountId: 'account-1', isRunners: false }])
      expect(await store().read(usage.ownersOfKeys([]))).toEqual([])
    })

    test('prices are kept, of one hour the last', async () => {
      const price = { machineType: 'S', since: noon, perSecond: 0.25, gpus: 0 }
      await store().commit(addPrices([{ ...price, perSecond: 1 }]))
      await store().commit(addPrices([price]))
      expect(await store().read(machinePrices())).toEqual([price])
    })
  })
}
