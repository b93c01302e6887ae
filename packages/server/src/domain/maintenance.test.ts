import { expect, test } from 'vitest'
import { leaving, type Maintained } from './maintenance.ts'
import { drain, pend, place, start, type LiveRunner } from './runner.ts'

const now = 1_000_000
const identity = { id: 'x', appId: 'a', accountId: 'b', revisionId: 'r', machineType: 'XS', createdAt: 0 }
const on = (machineId: string) => ({ machineId, machineType: 'XS', cpus: 1, memoryBytes: 1, gpus: [] })

function runner(state: LiveRunner['state'], machineId: string | undefined): LiveRunner {
  const pending = pend(identity, 0)
  const placed = machineId === undefined ? pending : place(pending, on(machineId))
  if (state === 'pending') return placed
  const setup = start(placed, 1_000, 0)
  if (state === 'setup') return setup
  const { readyBy: _, startedAt: __, ...rest } = setup
  const serving = { ...rest, state: 'serving' as const, address: { host: '127.0.0.1', port: 1 }, readyAt: 0 }
  return state === 'serving' ? serving : drain(serving, 'stopped', 0)
}

const without = { machineId: 'box', since: 0 }
const later = { ...without, deadline: now + 1 }
const over = { ...without, deadline: now }

test.each([
  // state, machine, maintenance, what becomes of it
  ['pending', undefined, without, 'stay'],
  ['pending', 'box', without, 'cancel'],
  ['setup', 'box', without, 'cancel'],
  ['setup', 'other', without, 'stay'],
  ['serving', 'box', without, 'drain'],
  ['serving', 'box', later, 'drain'],
  ['serving', 'box', over, 'kill'],
  ['serving', 'other', over, 'stay'],
  ['draining', 'box', without, 'stay'],
  ['draining', 'box', later, 'stay'],
  ['draining', 'box', over, 'kill'],
  ['draining', 'other', over, 'stay'],
] as const)('a %s runner on %s, when %o: %s', (state, machineId, maintenance, expected) => {
  const maintained: Maintained = new Map([['box', maintenance]])
  expect(leaving(runner(state, machineId), maintained, now)).toBe(expected)
})
