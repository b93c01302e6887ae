import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agenda } from './agenda.ts'

test('an app stands at the earliest of its moments that are still to come', () => {
  const agenda = new Agenda()
  agenda.set('a', [5, 30, 20], 10)
  agenda.set('b', [25], 10)
  expect([agenda.next, agenda.isSetBefore('a', 20), agenda.isSetBefore('a', 19)]).toEqual([20, true, false])
  expect([...agenda.take(24)]).toEqual(['a'])
  expect(agenda.next).toBe(25)
})

test('it moves with the last word on it, and goes with the word that there is none', () => {
  const agenda = new Agenda()
  agenda.set('a', [20], 0)
  agenda.set('a', [40], 0)
  expect([...agenda.take(30)]).toEqual([])
  agenda.set('a', [Infinity], 0)
  expect([agenda.next, ...agenda.take(100)]).toEqual([undefined])
})

test('whatever is set, those are taken whose moment has come', () => {
  const anySet = fc.array(fc.record({ app: fc.constantFrom('a', 'b', 'c', 'd'), at: fc.nat({ max: 50 }) }))
  fc.assert(
    fc.property(anySet, fc.nat({ max: 50 }), (sets, now) => {
      const agenda = new Agenda()
      for (const { app, at } of sets) agenda.set(app, [at], -1)
      const last = new Map(sets.map(({ app, at }) => [app, at] as const))
      const due = [...last].filter(([, at]) => at <= now).map(([app]) => app)
      expect([...agenda.take(now)].toSorted()).toEqual(due.toSorted())
    }),
  )
})
