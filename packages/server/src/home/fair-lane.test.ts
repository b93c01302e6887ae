import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { shareOf } from '../domain/fair-share.ts'
import type { QueuedRequest } from '../domain/request.ts'
import { FairLane } from './fair-lane.ts'

const fair = (weights: Record<string, number> = {}) => ({ weights: new Map(Object.entries(weights)) })

function queued(seq: number, keyId?: string): QueuedRequest {
  return {
    id: `request-${seq}`,
    appId: 'app',
    ...(keyId === undefined ? {} : { keyId }),
    seq,
    priority: 'normal',
    attempt: 0,
    dueAt: 0,
    acceptedAt: seq,
    retry: { forbidden: false, budgets: {} },
    used: {},
  }
}

function* servedFrom(lane: FairLane): Generator<QueuedRequest> {
  for (let next = lane.shift(); next; next = lane.shift()) yield next
}

function laneOf(requests: readonly QueuedRequest[], weights?: Record<string, number>): FairLane {
  const lane = new FairLane(fair(weights))
  for (const request of requests) lane.add(request)
  return lane
}

const callers = (lane: FairLane) => Array.from(servedFrom(lane), (each) => shareOf(each)).join('')

describe('turns', () => {
  test('of callers with the same weight alternate, in the order in which they came', () => {
    expect(callers(laneOf([1, 2, 3, 4, 5, 6].map((seq) => queued(seq, seq <= 3 ? 'b' : 'a'))))).toBe('bababa')
  })

  test('are as many as the weight says', () => {
    const all = Array.from({ length: 16 }, (_, seq) => queued(seq, seq < 8 ? 'a' : 'b'))
    expect(callers(laneOf(all, { a: 3 }))).toBe('abaaabaaababbbbb')
  })

  test('of all who call without a key are those of one caller', () => {
    const all = [queued(1), queued(2), queued(3, 'a'), queued(4, 'a')]
    expect(callers(laneOf(all))).toBe('anonymousaanonymousa')
  })

  test('one caller sends 10,000, and another that sends ten then is served with the next twenty', () => {
    const lane = laneOf(Array.from({ length: 10_000 }, (_, seq) => queued(seq, 'flood')))
    for (let taken = 0; taken < 100; taken += 1) lane.shift()
    const late = Array.from({ length: 10 }, (_, n) => queued(20_000 + n, 'late'))
    for (const request of late) lane.add(request)
    expect(Math.max(...late.map((request) => lane.rankOf(request)))).toBeLessThan(20)
    const next = Array.from({ length: 20 }, () => lane.shift()!)
    expect(next.filter((each) => each.keyId === 'late')).toEqual(late)
  })

  test('are no more for who sends one at a time as soon as the last was served', () => {
    const lane = laneOf(Array.from({ length: 100 }, (_, seq) => queued(seq, 'a')))
    let served = 0
    for (let seq = 1_000; seq < 1_100; seq += 1) {
      if (served === seq - 1_000) lane.add(queued(seq, 'b'))
      if (lane.shift()?.keyId === 'b') served += 1
    }
    expect(served).toBeGreaterThanOrEqual(1)
    expect(served).toBeLessThanOrEqual(51)
  })
})

const someCaller = fc.constantFrom('a', 'b', 'c', undefined)
const someWeights = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'anonymous'), fc.integer({ min: 1, max: 100 }))
const someStep = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), caller: someCaller }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('shift' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), which: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reweigh' as const), weights: someWeights }) },
)

describe('whatever is added, served, withdrawn, tried again and weighed anew', () => {
  test('nothing is lost or doubled, and each caller is served in its own order', () => {
    fc.assert(
      fc.property(fc.array(someStep, { maxLength: 120 }), someWeights, (steps, weights) => {
        const lane = new FairLane(fair(weights))
        const here = new Map<number, QueuedRequest>()
        const served: QueuedRequest[] = []
        let seq = 0
        for (const step of steps) {
          if (step.kind === 'add') {
            const request = queued((seq += 1), step.caller)
            here.set(request.seq, request)
            lane.add(request)
          } else if (step.kind === 'shift') {
            const first = lane.first
            const next = lane.shift()
            expect(next).toBe(first)
            if (next === undefined) expect(here.size).toBe(0)
            else {
              const own = [...here.values()].filter((each) => shareOf(each) === shareOf(next))
              expect(Math.min(...own.map((each) => each.seq))).toBe(next.seq)
              here.delete(next.seq)
              served.push(next)
            }
          } else if (step.kind === 'remove') {
            const request = [...here.values()][step.which % (here.size || 1)] ?? queued(0)
            expect(lane.remove(request)).toBe(here.delete(request.seq))
          } else if (step.kind === 'back') {
            const [again] = served.splice(step.which % (served.length || 1), 1)
            if (again) lane.add(again)
            if (again) here.set(again.seq, again)
          } else lane.reweigh(fair(step.weights))
          expect(lane.size).toBe(here.size)
          expect(lane.oldest?.seq).toBe(here.size === 0 ? undefined : Math.min(...here.keys()))
        }
        const ranks = new Map([...here].map(([each, request]) => [each, lane.rankOf(request)]))
        expect([...lane].map((each) => each.seq)).toEqual([...here.keys()].toSorted((a, b) => a - b))
        const rest = [...servedFrom(lane)]
        expect(rest.map((each) => ranks.get(each.seq))).toEqual(rest.map((_, place) => place))
        expect(rest).toHaveLength(here.size)
      }),
    )
  })

  test('among callers that always have something waiting, turns go by weight at every moment, give or take one', () => {
    fc.assert(
      fc.property(someWeights, fc.nat(100), fc.nat(200), (weights, before, turns) => {
        const lane = new FairLane(fair({}))
        for (let seq = 0; seq < 400; seq += 1) lane.add(queued(seq, 'a'))
        for (let taken = 0; taken < before; taken += 1) lane.shift()
        lane.reweigh(fair(weights))
        for (let seq = 400; seq < 1_200; seq += 1) lane.add(queued(seq, seq % 2 === 0 ? 'b' : 'c'))
        const had = { a: 0, b: 0, c: 0 }
        for (let taken = 0; taken < turns; taken += 1) had[lane.shift()!.keyId as 'a' | 'b' | 'c'] += 1
        const share = (caller: 'a' | 'b' | 'c') => had[caller] / (weights[caller] ?? 1)
        const one = (caller: string) => 1 / (weights[caller] ?? 1)
        for (const [x, y] of [
          ['a', 'b'],
          ['b', 'c'],
          ['a', 'c'],
        ] as const)
          if (had.a < 200) expect(Math.abs(share(x) - share(y))).toBeLessThanOrEqual((one(x) + one(y)) * 1.01)
      }),
    )
  })
})
