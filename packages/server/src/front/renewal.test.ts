import { expect, test } from 'vitest'
import { renewal, type Standing } from './renewal.ts'

const hour = 3_600_000
const day = 24 * hour
const now = Date.UTC(2026, 10, 25)
const names = ['fal.example.com', 'queue.fal.example.com']
const held = (ageDays: number, lifeDays = 90, of = names) => ({
  names: of,
  validFrom: now - ageDays * day,
  validTo: now + (lifeDays - ageDays) * day,
})
const decide = (standing: Partial<Standing>) => renewal({ failures: 0, triedAt: 0, ...standing }, names, now)
const minutes = (many: number) => now - many * 60_000

test.each([
  ['there is none', {}],
  ['two thirds of its time are over', { held: held(60) }],
  ['it has ended', { held: held(91) }],
  ['a short one is two thirds over', { held: held(4, 6) }],
  ['it lacks a name', { held: held(1, 90, ['fal.example.com']) }],
  ['it has a name too many', { held: held(1, 90, [...names, 'old.example.com']) }],
  ['a failure is a quarter of an hour ago', { failures: 1, triedAt: minutes(15) }],
  ['many failures, and the last one is twelve hours ago', { failures: 40, triedAt: minutes(12 * 60) }],
])('it is ordered when %s', (_what, standing) => expect(decide(standing)).toEqual({ kind: 'order' }))

test.each([
  ['the certificate is young', { held: held(1) }, now + 59 * day],
  ['its names come in another order', { held: held(1, 90, names.toReversed()) }, now + 59 * day],
  ['the first try failed just now', { failures: 1, triedAt: now }, now + hour / 4],
  ['the third failed just now', { failures: 3, triedAt: now }, now + hour],
  ['many failed', { failures: 40, triedAt: now }, now + 12 * hour],
  ['a try failed at a moment that lies ahead', { failures: 1, triedAt: now + 400 * day }, now + hour / 4],
  ['a renewal failed just now', { held: held(70), failures: 2, triedAt: now }, now + hour / 2],
])('it waits when %s', (_what, standing, until) => expect(decide(standing)).toEqual({ kind: 'wait', until }))
