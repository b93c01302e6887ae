import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { presets } from '../../domain/permissions.ts'
import { hourMs, hoursIn, hourOf } from '../../domain/usage.ts'
import type { UsageDimension } from '../../domain/usage-report.ts'
import { UsageMeter, type Use } from '../../home/usage-meter.ts'
import { addKey } from '../../store/keys.ts'
import { acceptRequest, finishAttempt } from '../../store/requests.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { addRunner, saveRunner } from '../../store/runners.ts'
import { boundFormerRunners, storeUsage } from '../../store/usage.ts'
import { openTestControl, type TestControl } from '../../testing/control.ts'
import { testSpec } from '../../testing/scheduler.ts'
import type { Caller } from '../../domain/permissions.ts'
import { createUsageKeeper } from './keeper.ts'
import { usageReport } from './report.ts'

const noon = 500_000 * hourMs
const ann = {
  accountId: 'account-ann',
  nickname: 'ann',
  keyId: 'anns',
  permissions: new Set(['metrics:read'] as const),
}
const bob = { ...ann, accountId: 'account-bob', nickname: 'bob', keyId: 'bobs' }
const attention = { signal: new AbortController().signal, say: () => {} }

let control: TestControl
let now = noon
let world: World
beforeEach(async () => {
  now = noon
  const clock = { now: () => now }
  control = await openTestControl({ clock })
  for (const { keyId: id, accountId } of [ann, bob]) {
    const key = { id, accountId, secretHash: new Uint8Array(32), permissions: presets.API, alias: id, createdAt: 0 }
    await control.store.commit(addKey({ ...key, holder: 'person' }))
  }
  world = new World(control, clock)
  await world.deploy()
})
afterEach(() => control[Symbol.asyncDispose]())

/** Runners and calls of ann's apps, and what all that must come to. */
class World {
  meter: UsageMeter
  keeper: ReturnType<typeof createUsageKeeper>
  readonly control: TestControl
  readonly clock: { now: () => number }
  readonly living: { id: string; app: string; machineType: string; startedAt: number; uses: Use[]; direct: number }[] =
    []
  readonly queued: { id: string; use: Use }[] = []
  /** Milliseconds by hour, from the spans of runners alone. */
  readonly time = new Map<number, number>()
  requests = 0
  count = 0

  constructor(given: TestControl, clock: { now: () => number }) {
    this.control = given
    this.clock = clock
    this.meter = new UsageMeter(clock)
    this.keeper = createUsageKeeper({ store: given.store, meter: this.meter, clock })
  }

  async deploy(): Promise<void> {
    const spec = testSpec({})
    for (const name of ['one', 'two']) {
      const app = { id: name, accountId: ann.accountId, name, environment: 'main' }
      const next = {
        revisionId: `${name}-1`,
        strategy: 'recreate',
        scale: spec.scale,
        basedOn: spec.scale,
        now,
      } as const
      await this.control.store.commit(registerRevision(app, spec, { ...next, authMode: 'shared' }))
    }
  }

  async start(app: string, machineType: string): Promise<void> {
    const id = `runner-${(this.count += 1)}`
    this.living.push({ id, app, machineType, startedAt: now, uses: [], direct: 0 })
    await this.control.store.commit(
      addRunner({ ...this.identity(this.living.length - 1), state: 'setup', startedAt: now, readyBy: now + 1 }),
    )
  }

  identity(at: number) {
    const { id, app, machineType, startedAt } = this.living[at]!
    const placement = {
      machineId: 'here',
      machineType,
      cpus: 1,
      memoryBytes: 1,
      gpus: machineType === 'S' ? [] : [0, 1],
    }
    const of = { id, appId: app, accountId: ann.accountId, revisionId: `${app}-1`, machineType, createdAt: startedAt }
    return { ...of, placement }
  }

  async end(at: number, paidUntil = now): Promise<void> {
    const { uses, startedAt } = this.living[at]!
    for (const use of uses) use.end()
    for (const { hour, ms } of hoursIn({ from: startedAt, to: paidUntil }))
      this.time.set(hour, (this.time.get(hour) ?? 0) + ms)
    const ended = { ...this.identity(at), state: 'terminated', reason: 'stopped', endedAt: now } as const
    await this.control.store.commit(saveRunner('setup', ended))
    this.living.splice(at, 1)
  }

  call(at: number, keyId: string | undefined, isShared: boolean): void {
    const runner = this.living[at]!
    runner.uses.push(this.meter.begin(runner.id, { keyId, isShared }, `direct-${(this.count += 1)}`))
    runner.direct += 1
    this.requests += 1
  }

  async submit(at: number, keyId: string): Promise<void> {
    const { id: runnerId, app } = this.living[at]!
    const id = `request-${(this.count += 1)}`
    const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'c' }
    const request = { id, appId: app, keyId, priority: 'normal', acceptedAt: now } as const
    await this.control.store.commit(
      acceptRequest({ ...request, retry: { forbidden: false, budgets: {} }, payload }, { runnerId, now }),
    )
    const use = this.meter.begin(runnerId, { keyId, isShared: true })
    this.living[at]!.uses.push(use)
    this.queued.push({ id, use })
    this.requests += 1
  }

  async finish(): Promise<void> {
    const first = this.queued.shift()
    if (first === undefined) return
    first.use.end()
    const outcome = {
      status: 200,
      headers: [['x-fal-billable-units', '0.1']],
      body: { inline: new Uint8Array() },
    } as const
    await this.control.store.commit(finishAttempt({ requestId: first.id, attempt: 1, outcome, now }))
  }

  /** Kill -9, and a start after `downMs`: what was in memory is lost, and runners end when they were last known of. */
  async crash(downMs: number): Promise<void> {
    const lastUp = now
    await this.control.store.commit(storeUsage([], lastUp))
    this.requests -= this.meter.take().reduce((sum, { requests }) => sum + requests, 0)
    this.requests -= sum(this.living.map(({ direct }) => direct))
    this.meter = new UsageMeter(this.clock)
    this.keeper = createUsageKeeper({ store: this.control.store, meter: this.meter, clock: this.clock })
    now += downMs
    await this.control.store.commit(boundFormerRunners(0))
    for (const { uses } of this.living) uses.length = 0
    while (this.living.length > 0) await this.end(0, lastUp)
  }

  async report(by: readonly UsageDimension[], caller: Caller = ann, more: object = {}) {
    const deps = { ...this.control.deps, usageKeeper: this.keeper }
    return usageReport(deps, caller, { by: [...by], start: noon - 1, ...more }, attention)
  }
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0)

describe('usage', () => {
  test('adds up, whatever is told apart, however runners and calls came and went', { timeout: 300_000 }, async () => {
    const step = fc.record({
      after: fc.integer({ min: 0, max: hourMs }),
      what: fc.constantFrom('start', 'end', 'call', 'call', 'submit', 'finish', 'settle', 'crash'),
      pick: fc.nat(10),
      key: fc.constantFrom('anns', 'bobs', undefined),
    })
    const takes = async ({ what, pick, key }: { what: string; pick: number; key: string | undefined }) => {
      const { living } = world
      if (what === 'start' || living.length === 0)
        return world.start(pick % 2 ? 'one' : 'two', pick % 3 ? 'S' : 'GPU-H100')
      if (what === 'end') return world.end(pick % living.length)
      if (what === 'call') return world.call(pick % living.length, key, pick % 2 === 0)
      if (what === 'submit') return world.submit(pick % living.length, key ?? 'bobs')
      if (what === 'finish') return world.finish()
      return what === 'settle' ? world.keeper.whileSettled(async () => {}) : world.crash(pick * 1_000_000)
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 60 }), async (steps) => {
        for (const { after, ...one } of steps) {
          now += after
          await takes(one)
        }
        while (world.living.length > 0) await world.end(0)
        while (world.queued.length > 0) await world.finish()
        now += 1
        const all = await world.report([])
        expect(all.total.used.runnerMs).toBe(sum([...world.time.values()]))
        expect(all.total.used.requests).toBe(world.requests)
        const groupings = [
          ['app'],
          ['caller', 'key'],
          ['machine-type', 'revision'],
          ['day'],
          ['hour', 'app', 'caller'],
        ] as const
        for (const by of groupings) {
          const { rows } = await world.report(by)
          for (const amount of ['runnerMs', 'gpuMs', 'requests', 'units'] as const)
            expect(sum(rows.map(({ used }) => used[amount])), by.join()).toBe(all.total.used[amount])
          if (!by.some((one) => one === 'caller'))
            expect(
              rows.every(({ used }) => used.runnerMs >= 0),
              by.join(),
            ).toBe(true)
        }
        const hours = await world.report(['hour'])
        const expected = [...world.time].filter(([, ms]) => ms > 0).map(([hour, ms]) => [hour, ms])
        const found = hours.rows.map(({ of, used }) => [Date.parse(of['hour']!.replace('Z', ':00Z')), used.runnerMs])
        expect(found.filter(([, ms]) => ms !== 0)).toEqual(expected.toSorted(([one = 0], [other = 0]) => one - other))
        const middle = hourOf(noon + (now - noon) / 2)
        const parts = await Promise.all([
          world.report([], ann, { end: middle }),
          world.report([], ann, { start: middle }),
        ])
        expect(sum(parts.map(({ total: { used } }) => used.runnerMs))).toBe(all.total.used.runnerMs)
      }),
      { seed: 6, numRuns: 12, endOnFailure: true },
    )
  })
})
