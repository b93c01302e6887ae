import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { queueDefaults } from '../domain/queue-settings.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { manualClock } from '../testing/clock.ts'
import type { Match, Slot } from './home.ts'
import { createHomes } from './memory-home.ts'

const now = 1_800_000_000_000

function queued(seq: number, more: Partial<QueuedRequest> = {}): QueuedRequest {
  return {
    id: `request-${seq}`,
    appId: 'app',
    seq,
    priority: 'normal',
    attempt: 0,
    dueAt: 0,
    acceptedAt: now,
    retry: { forbidden: false, budgets: {} },
    used: {},
    ...more,
  }
}

const runner = (id: string) => ({ id, revisionId: 'revision', address: { host: '127.0.0.1', port: 1 } })

function openHome({ runners = [] as string[], multiplexing = 1, waitingCallers = 10 } = {}) {
  const clock = manualClock(now)
  const homes = createHomes({ clock, limits: { waitingCallers } })
  const home = homes.of('app')
  home.setMultiplexing(multiplexing)
  home.setRunners(runners.map(runner))
  return { clock, homes, home, takeAll: () => [...taken(() => home.take())] }
}

function* taken(take: () => Match | undefined): Generator<Match> {
  for (let match = take(); match; match = take()) yield match
}

const ids = (matches: readonly Match[]) => matches.map(({ request }) => request.seq)
const forever = new AbortController().signal
const payload = { method: 'POST', path: '/', headers: [], body: { inline: new Uint8Array() }, callerId: 'c' }

describe('order', () => {
  test('low priority waits while any normal request waits', () => {
    const { home, takeAll } = openHome({ runners: ['a'], multiplexing: 10 })
    for (const [seq, priority] of [
      [1, 'low'],
      [2, 'normal'],
      [3, 'low'],
      [4, 'normal'],
    ] as const)
      home.admit(queued(seq, { priority }))
    expect(home.positionOf('request-3')).toBe(3)
    expect(ids(takeAll())).toEqual([2, 4, 1, 3])
  })

  test('a retry that becomes due is load, and is told of as such', async () => {
    const { home, homes, clock } = openHome()
    const told: number[] = []
    homes.onLoad(() => told.push(home.load().waiting))
    home.admit(queued(1, { dueAt: now + 1_000 }))
    await Promise.resolve()
    clock.advance(1_000)
    expect(home.take()).toBeUndefined() // as the dispatcher looks when its alarm rings
    await Promise.resolve()
    expect(told).toEqual([0, 1])
  })

  test('a retry stands aside until it is due, then goes by its old place', () => {
    const { home, clock } = openHome({ runners: ['a'] })
    home.admit(queued(2))
    home.admit(queued(1, { dueAt: now + 1_000, attempt: 1 }))
    home.admit(queued(3))
    expect(home.nextMoment()).toBe(now + 1_000)
    expect(home.load().waiting).toBe(2)
    const first = home.take()!
    clock.advance(1_000)
    first.slot.release()
    expect([first.request.seq, home.take()?.request.seq]).toEqual([2, 1])
  })

  test('whatever is admitted and withdrawn, what is taken is sorted by priority, then seq', () => {
    const anyRequests = fc.uniqueArray(
      fc.record({ seq: fc.nat(1_000), low: fc.boolean(), late: fc.boolean(), goes: fc.boolean() }),
      {
        selector: ({ seq }) => seq,
      },
    )
    fc.assert(
      fc.property(anyRequests, (all) => {
        const { home, clock, takeAll } = openHome({ runners: ['a'], multiplexing: 2_000 })
        for (const { seq, low, late } of all)
          home.admit(queued(seq, { priority: low ? 'low' : 'normal', dueAt: late ? now + 5 : 0 }))
        for (const { seq, goes } of all) if (goes) expect(home.withdraw(`request-${seq}`)).toBe(true)
        clock.advance(5)
        const left = all.filter(({ goes }) => !goes).toSorted((a, b) => Number(a.low) - Number(b.low) || a.seq - b.seq)
        expect(left.map(({ seq }) => home.positionOf(`request-${seq}`))).toEqual(left.map((_, place) => place))
        expect(ids(takeAll())).toEqual(left.map(({ seq }) => seq))
        expect([home.queueLength, home.nextMoment()]).toEqual([0, undefined])
      }),
    )
  })
})

describe('callers that take turns', () => {
  const fair = { ...queueDefaults, fair_share: true, weights: { b: 2 } }

  test('do so within a priority, from the moment it is set until it is taken back', () => {
    const { home, takeAll } = openHome({ runners: ['a'], multiplexing: 100 })
    const low = { priority: 'low' } as const
    for (const seq of [1, 2, 3, 4]) home.admit(queued(seq, { keyId: 'a' }))
    for (const seq of [5, 6, 7]) home.admit(queued(seq, { keyId: 'b', acceptedAt: now + seq }))
    for (const seq of [8, 9]) home.admit(queued(seq, { keyId: 'a', ...low, startBy: now + 9 }))
    home.admit(queued(10, low))
    home.configure(fair)
    expect([home.positionOf('request-7'), home.positionOf('request-10')]).toEqual([4, 8])
    expect([home.load().waitingSince, home.nextMoment()]).toEqual([now, now + 9])
    expect([home.take(), home.take(), home.take()].map((match) => match?.request.seq)).toEqual([1, 5, 6])
    home.configure(queueDefaults)
    expect([home.take(), home.take()].map((match) => match?.request.seq)).toEqual([2, 3])
    home.configure(fair)
    expect(home.takeOverdue(now + 9).map(({ seq }) => seq)).toEqual([8, 9])
    expect(ids(takeAll())).toEqual([4, 7, 10])
  })

  test('are weighed by the aliases of the keys of the owner, and of nobody else', () => {
    const { home, takeAll } = openHome({ runners: ['a'], multiplexing: 100 })
    for (const seq of [1, 2, 3, 4, 5, 6]) home.admit(queued(seq, { keyId: seq <= 3 ? 'x' : 'y' }))
    home.configure({ ...fair, weights: { batch: 2 } }, [['y', 'batch']])
    expect(ids(takeAll())).toEqual([1, 4, 5, 2, 6, 3])
  })

  test('lose nothing and keep priorities and their own order, however often that is switched', () => {
    const someRequest = fc.record({
      caller: fc.constantFrom('a', 'b', 'c', undefined),
      low: fc.boolean(),
      late: fc.boolean(),
      goes: fc.boolean(),
      next: fc.constantFrom('fair', 'plain', 'take', 'nothing'),
    })
    fc.assert(
      fc.property(fc.array(someRequest, { maxLength: 60 }), fc.boolean(), (all, endsFair) => {
        const { home, clock, takeAll } = openHome({ runners: ['a'], multiplexing: 2_000 })
        const gone = new Set<number>()
        all.forEach(({ caller, low, late, next }, seq) => {
          const priority = low ? 'low' : 'normal'
          home.admit(queued(seq, { priority, dueAt: late ? now + 5 : 0, ...(caller && { keyId: caller }) }))
          if (next === 'take') gone.add(home.take()?.request.seq ?? -1)
          else if (next !== 'nothing') home.configure(next === 'fair' ? fair : queueDefaults)
        })
        const waiting = all.map((each, seq) => ({ ...each, seq })).filter(({ seq }) => !gone.has(seq))
        for (const { seq, goes } of waiting) if (goes) expect(home.withdraw(`request-${seq}`)).toBe(true)
        clock.advance(5)
        home.configure(endsFair ? fair : queueDefaults)
        const left = waiting.filter(({ goes }) => !goes)
        const places = new Map(left.map(({ seq }) => [seq, home.positionOf(`request-${seq}`)]))
        const served = ids(takeAll())
        expect(served.map((seq) => places.get(seq))).toEqual(served.map((_, place) => place))
        const order = served.map((seq) => ({ ...all[seq]!, seq }))
        const normal = order.filter(({ low }) => !low)
        expect(order.slice(0, normal.length)).toEqual(normal)
        for (const lane of [normal, order.slice(normal.length)])
          for (const caller of ['a', 'b', 'c', undefined]) {
            const own = lane.filter((each) => !endsFair || each.caller === caller).map(({ seq }) => seq)
            expect(own).toEqual(own.toSorted((a, b) => a - b))
          }
        expect(served.toSorted((a, b) => a - b)).toEqual(left.map(({ seq }) => seq))
        expect(home.queueLength).toBe(0)
      }),
    )
  })
})

test('a request on its way to the disk without a slot is not overtaken in the queue', () => {
  const { home, takeAll } = openHome({ runners: ['a'] })
  const before = home.reserve('before')
  expect(home.reserve('first')).toBeUndefined()
  const first = home.announce()
  before?.release()
  expect(home.reserve('second')).toBeUndefined()
  const second = home.announce()
  home.admit(queued(1))
  first[Symbol.dispose]()
  home.admit(queued(2))
  second[Symbol.dispose]()
  expect(ids(takeAll())).toEqual([1])
  home.withdraw('request-2')
  home.setRunners(['a', 'b'].map(runner))
  expect(home.reserve('third')?.runnerId).toBe('b')
})

test('a request on its way to the disk is load when it is announced as that, unless the queue is paused', () => {
  const { home } = openHome({ runners: [] })
  using _held = home.announce()
  expect(home.load()).toMatchObject({ waiting: 0, waitingSince: undefined })
  const place = home.announce({ asLoad: true })
  expect(home.load()).toMatchObject({ waiting: 1, waitingSince: now })
  home.configure({ ...queueDefaults, paused: true })
  expect(home.load()).toMatchObject({ waiting: 0, waitingSince: undefined })
  home.configure(queueDefaults)
  place[Symbol.dispose]()
  expect(home.load()).toMatchObject({ waiting: 0, waitingSince: undefined })
})

describe('slots', () => {
  test('are as many as runners times multiplexing, spread over the runners in turn', () => {
    const { home, takeAll } = openHome({ runners: ['a', 'b'], multiplexing: 2 })
    for (const seq of [1, 2, 3, 4, 5]) home.admit(queued(seq))
    expect(takeAll().map(({ slot }) => slot.runnerId)).toEqual(['a', 'b', 'a', 'b'])
    expect(home.load()).toMatchObject({ waiting: 1, running: 4, waitingSince: now })
  })

  test('are given back once, and kept ones outlive their `using`', () => {
    const { home } = openHome({ runners: ['a'] })
    let kept: Slot
    {
      using slot = home.reserve('direct')!
      kept = slot.keep()
      slot.release()
    }
    expect(home.reserve('other')).toBeUndefined()
    kept.release()
    kept.release()
    expect(home.load().running).toBe(0)
    expect(home.reserve('other')?.runnerId).toBe('a')
    expect(home.reserve('third')).toBeUndefined()
  })

  test('a retry goes to another runner when there is one with a slot', () => {
    const { home } = openHome({ runners: ['a', 'b'], multiplexing: 2 })
    for (const seq of [1, 2]) home.admit(queued(seq, { avoid: 'a' }))
    expect([home.take(), home.take()].map((match) => match?.slot.runnerId)).toEqual(['b', 'b'])
    home.admit(queued(3, { avoid: 'b' }))
    home.admit(queued(4, { avoid: 'a' }))
    expect([home.take(), home.take()].map((match) => match?.slot.runnerId)).toEqual(['a', 'a'])
  })

  test('who has a hint gets a runner that advertises just that, else the next in turn', async () => {
    const { home } = openHome({ runners: ['a', 'b', 'c'], multiplexing: 2 })
    home.advertise('a', ['model-1'])
    home.advertise('b', ['model-1', 'model-2'])
    home.advertise('gone', ['model-3'])
    home.admit(queued(1, { hint: 'model-2' }))
    expect(home.take()?.slot.runnerId).toBe('b')
    expect(home.reserve('two', 'model-2')?.runnerId).toBe('b')
    expect((await home.acquire('three', forever, 'model-2')).runnerId).not.toBe('b') // both of its slots are taken
    expect(home.reserve('four', 'model')?.runnerId).toBeDefined()
    home.advertise('a', ['model-9'])
    home.admit(queued(5, { hint: 'model-9', avoid: 'a' }))
    expect(home.take()?.slot.runnerId).toBe('c') // what failed there goes elsewhere all the same
    expect(home.load()).toMatchObject({ running: 5 })
  })

  test('a direct call that waits gets the slot it hints at when that is free', async () => {
    const { home } = openHome({ runners: ['a', 'b'] })
    const [one, two] = [home.reserve('one')!, home.reserve('two')!]
    home.advertise(two.runnerId, ['warm'])
    const waiting = home.acquire('three', forever, 'warm')
    two.release()
    expect((await waiting).runnerId).toBe(two.runnerId)
    one.release()
  })

  test('a runner that has answered nobody yet gets a second request only where nobody else can take that', () => {
    const { home } = openHome({ runners: ['a', 'b'], multiplexing: 3 })
    home.reserve('first at a')!.release()
    home.reserve('first at b')!.release()
    home.setRunners(['a', 'b', 'new'].map(runner))
    const given = (count: number) => Array.from({ length: count }, (_, at) => home.reserve(`${at}`)!)
    const slots = given(7)
    expect(slots.map(({ runnerId }) => runnerId)).toEqual(['new', 'a', 'b', 'a', 'b', 'a', 'b'])
    expect(given(2).map(({ runnerId }) => runnerId)).toEqual(['new', 'new'])
    expect(home.reserve('none is left')).toBeUndefined()
    for (const slot of slots) slot.release()
    expect(new Set(given(3).map(({ runnerId }) => runnerId))).toEqual(new Set(['a', 'b', 'new']))
  })

  test('while the first of a new revision answers its first request, the old one takes what else comes', () => {
    const { home } = openHome({ multiplexing: 2 })
    home.setRunners([runner('new'), { ...runner('old'), spare: true, atOnce: 1 }])
    const first = home.reserve('1')!
    expect([first, home.reserve('2'), home.reserve('3')].map((slot) => slot?.runnerId)).toEqual(['new', 'old', 'new'])
    first.release()
    expect(home.reserve('4')?.runnerId).toBe('new')
  })

  test('a former runner is remembered until its last slot is given back, and gets nothing new', () => {
    const { home } = openHome({ runners: ['a'] })
    const slot = home.reserve('one')!
    home.setRunners([])
    expect(home.load().runners.get('a')).toMatchObject({ inFlight: 1, requests: [{ id: 'one' }] })
    slot.release()
    expect(home.load().runners.size).toBe(0)
  })

  test('a retired runner gets nothing more, though it is still listed', () => {
    const { home } = openHome({ runners: ['a'], multiplexing: 2 })
    const slot = home.reserve('one')!
    home.retire('a')
    home.setRunners([runner('a')])
    expect(home.reserve('two')).toBeUndefined()
    slot.release()
    home.setRunners([runner('a')])
    expect(home.reserve('two')).toBeUndefined()
  })

  test('a frozen runner offers its slots, with how it goes on, and only where no other has one', async () => {
    const { home } = openHome({ runners: ['a', 'b'], multiplexing: 2 })
    let thawed = 0
    expect(home.freeze('a', async () => void (thawed += 1))).toBe(true)
    const slots = ['1', '2', '3', '4'].map((id) => home.reserve(id)!)
    expect(slots.map(({ runnerId }) => runnerId)).toEqual(['b', 'a', 'a', 'b'])
    expect(slots.map(({ thaw }) => thaw !== undefined)).toEqual([false, true, true, false])
    await slots[1]?.keep().thaw?.()
    expect(thawed).toBe(1)
    home.thawed('a')
    expect(slots[2]?.thaw).toBeUndefined()
  })

  test('one that is busy, unknown or about to go is not frozen', () => {
    const { home } = openHome({ runners: ['a', 'b'] })
    home.retire('b')
    using slot = home.reserve('one')!
    expect(['a', 'b', 'c'].map((id) => home.freeze(id, async () => {}))).toEqual([false, false, false])
    expect(slot.thaw).toBeUndefined()
  })

  test('a frozen runner that gets no requests for a while is still frozen when it gets some', () => {
    const { home } = openHome({ runners: ['a'] })
    home.freeze('a', async () => {})
    home.setRunners([])
    expect(home.load().runners.size).toBe(0)
    home.setRunners([runner('a')])
    expect(home.load().runners.get('a')).toMatchObject({ frozenSince: now })
    expect(home.reserve('one')?.thaw).toBeDefined()
    home.setRunners([])
    home.thawed('a')
    home.setRunners([runner('a')])
    expect(home.load().runners.get('a')).not.toHaveProperty('frozenSince')
  })

  test('an idle runner says since when, and whether it was ever used', () => {
    const { home, clock } = openHome({ runners: ['a'] })
    clock.advance(10)
    expect(home.load().runners.get('a')).toEqual({ inFlight: 0, idleSince: now, used: false, requests: [] })
    const slot = home.reserve('one')!
    expect(home.load().runners.get('a')?.idleSince).toBeUndefined()
    clock.advance(10)
    slot.release()
    expect(home.load().runners.get('a')).toMatchObject({ idleSince: now + 20, used: true })
  })
})

describe('direct callers', () => {
  test('and the queue are served by turns', async () => {
    const { home } = openHome({ runners: ['a'] })
    let slot = home.reserve('first')!
    for (const seq of [1, 2, 3]) home.admit(queued(seq))
    const served: string[] = []
    const callers = ['x', 'y'].map(async (id) => {
      slot = await home.acquire(id, forever)
      served.push(id)
    })
    for (let round = 0; round < 5; round += 1) {
      slot.release()
      const match = home.take()
      if (match) {
        slot = match.slot
        served.push(match.request.id)
      }
      await new Promise(setImmediate)
    }
    await Promise.all(callers)
    expect(served).toEqual(['x', 'request-1', 'y', 'request-2', 'request-3'])
  })

  test('do not wait for a queue that was emptied by cancellation', async () => {
    const { home } = openHome({ runners: ['a'] })
    const first = home.reserve('first')!
    const second = home.acquire('second', forever)
    home.admit(queued(1))
    first.release()
    const slot = await second
    const third = home.acquire('third', forever)
    slot.release()
    home.withdraw('request-1')
    expect((await third).runnerId).toBe('a')
  })

  test('that give up leave the line, with their own reason', async () => {
    const { home } = openHome({ runners: ['a'] })
    const slot = home.reserve('first')!
    const gone = new AbortController()
    const waiting = home.acquire('second', gone.signal)
    gone.abort(new Error('hung up'))
    await expect(waiting).rejects.toThrow('hung up')
    slot.release()
    expect(home.load()).toMatchObject({ waiting: 0, running: 0 })
  })

  test('beyond the bound are turned away', async () => {
    const { home } = openHome({ waitingCallers: 1 })
    void home.acquire('one', forever)
    await expect(home.acquire('two', forever)).rejects.toMatchObject({ code: 'too_busy' })
    expect(home.load().waiting).toBe(1)
  })

  test('are told when the app goes', async () => {
    const { home } = openHome()
    const waiting = home.acquire('one', forever)
    home.admit(queued(1))
    home.clear(new Error('deleted'))
    await expect(waiting).rejects.toThrow('deleted')
    expect([home.queueLength, home.load().waiting]).toEqual([0, 0])
  })
})

test('who could not start in time leaves the queue, whether in line or aside', () => {
  const { home } = openHome()
  home.admit(queued(1, { startBy: now + 10 }))
  home.admit(queued(2, { startBy: now + 5, dueAt: now + 100 }))
  home.admit(queued(3))
  expect(home.nextMoment()).toBe(now + 5)
  expect(home.takeOverdue(now + 10).map(({ seq }) => seq)).toEqual([2, 1])
  expect(home.queueLength).toBe(1)
})

test('all who wait are counted: in line, until their next attempt, in a paused queue, and as direct callers', () => {
  const { home } = openHome()
  home.admit(queued(1))
  home.admit(queued(2, { attempt: 1, dueAt: now + 100 }))
  void home.acquire('direct', forever)
  expect(home.waiting).toBe(3)
  home.configure({ ...queueDefaults, paused: true })
  expect([home.waiting, home.load().waiting]).toEqual([3, 1])
})

test('a request whose first attempt is stored already goes straight on, with its slot', () => {
  const { home } = openHome({ runners: ['a'] })
  const slot = home.reserve('request-1')!.keep()
  home.admit(queued(1, { attempt: 1 }), { slot, startedAt: 0, payload })
  expect(home.queueLength).toBe(0)
  expect(home.take()).toMatchObject({ request: { seq: 1 }, payload })
  expect(home.take()).toBeUndefined()
})

test('listeners hear of work and load once per turn', async () => {
  const { homes, home } = openHome({ runners: ['a'] })
  const heard: string[] = []
  homes.onWork((appId) => heard.push(`work ${appId}`))
  homes.onLoad((appId) => heard.push(`load ${appId}`))
  await Promise.resolve()
  heard.length = 0
  for (const seq of [1, 2, 3]) home.admit(queued(seq))
  await Promise.resolve()
  expect(heard).toEqual(['load app', 'work app'])
})

describe('a paused queue', () => {
  const paused = { ...queueDefaults, paused: true }

  test('takes requests and gives them out once it is resumed, the oldest first', () => {
    const { home, takeAll } = openHome({ runners: ['a', 'b'] })
    home.configure(paused)
    expect(home.reserve('request-1')).toBeUndefined()
    home.admit(queued(1))
    home.admit(queued(2))
    expect(takeAll()).toEqual([])
    expect([home.queueLength, home.positionOf('request-2')]).toEqual([2, 1])
    home.configure(queueDefaults)
    expect(ids(takeAll())).toEqual([1, 2])
  })

  test('is no load, and lets direct calls through', async () => {
    const { home } = openHome({ runners: ['a'] })
    home.configure(paused)
    home.admit(queued(1))
    const slot = await home.acquire('direct', forever)
    expect(home.load()).toMatchObject({ waiting: 0, running: 1, waitingSince: undefined })
    const next = home.acquire('next', forever)
    expect(home.load().waiting).toBe(1)
    slot.release()
    expect((await next).runnerId).toBe('a')
    home.configure(queueDefaults)
    expect(home.load().waiting).toBe(1)
  })

  test('sends what was on disk as started', () => {
    const { home } = openHome({ runners: ['a'] })
    const slot = home.reserve('request-1')!
    home.configure(paused)
    home.admit(queued(1, { attempt: 1 }), { slot: slot.keep(), startedAt: 0, payload })
    expect(home.take()?.request.seq).toBe(1)
  })

  test('still lets deadlines pass and retries become due, without an alarm that rings for ever', () => {
    const { home, clock } = openHome({ runners: ['a'] })
    home.configure(paused)
    home.admit(queued(1, { startBy: now + 1_000 }))
    home.admit(queued(2, { dueAt: now + 500 }))
    clock.advance(500)
    expect(home.take()).toBeUndefined()
    expect(home.nextMoment()).toBe(now + 1_000)
    clock.advance(500)
    expect(home.takeOverdue(clock.now()).map(({ seq }) => seq)).toEqual([1])
    expect(home.nextMoment()).toBeUndefined()
  })

  test('tells of work and of load when it is resumed, and of nothing before', async () => {
    const { home, homes } = openHome({ runners: ['a'] })
    home.configure(paused)
    home.admit(queued(1))
    await Promise.resolve()
    const heard: string[] = []
    homes.onWork(() => void heard.push('work'))
    homes.onLoad(() => void heard.push('load'))
    home.setRunners([runner('a'), runner('b')])
    await Promise.resolve()
    expect(heard).toEqual([])
    home.configure(queueDefaults)
    await Promise.resolve()
    expect(heard.toSorted()).toEqual(['load', 'work'])
  })
})
