import { describe, expect, test } from 'vitest'
import { eventsOfChange, eventsOfRunner, type RecordedChange } from './app-events.ts'

const runner = { id: 'runner-1', machineType: 'S', revisionId: 'revision-1', createdAt: 1 }
const categories = (events: ReturnType<typeof eventsOfRunner>) => events.map(({ category, at }) => [category, at])

test('a runner that lived and was let go', () => {
  const life = { ...runner, startedAt: 2, readyAt: 3, drainingAt: 4, drainReason: 'keep_alive' }
  expect(categories(eventsOfRunner({ ...life, endedAt: 5, endReason: 'keep_alive' }))).toEqual([
    ['runner_pending', 1],
    ['runner_setup', 2],
    ['runner_started', 3],
    ['runner_draining', 4],
    ['runner_finished', 5],
  ])
})

test.each([
  ['startup_failure', 'runner_startup_failure'],
  ['startup_timeout', 'runner_startup_failure'],
  ['crash', 'runner_failed'],
  ['health_check', 'runner_failed'],
  ['deploy', 'runner_finished'],
])('an end for %s is told as %s', (endReason, category) => {
  const last = eventsOfRunner({ ...runner, endedAt: 5, endReason }).at(-1)
  expect(last).toMatchObject({ category, detail: { reason: endReason, job_id: 'runner-1' } })
})

describe('a change', () => {
  const change = (more: Partial<RecordedChange>): RecordedChange => ({
    id: 'event-1',
    keyId: 'key-1',
    at: 1,
    endedAt: 2,
    action: 'deploy',
    outcome: 'done',
    detail: {},
    ...more,
  })
  const told = (more: Partial<RecordedChange>) => categories(eventsOfChange(change(more)))

  test.each([
    [{ detail: { strategy: 'rolling' } }, ['deployment_rolling_started', 'deployment_rolling_ended']],
    [
      { detail: { strategy: 'rolling' }, outcome: 'failed' as const },
      ['deployment_rolling_started', 'deployment_rolling_failed'],
    ],
    [
      { action: 'set_revision', detail: { strategy: 'recreate' } },
      ['deployment_started', 'deployment_recreate_applied'],
    ],
    [{ detail: { strategy: 'recreate' }, outcome: 'failed' as const }, ['deployment_started', 'deployment_failed']],
    [{ action: 'scale_app' }, ['config_changed']],
    [{ action: 'scale_app', outcome: 'failed' as const }, []],
    [{ action: 'flush_queue' }, []],
  ])('%j is told as %j', (more, expected) => {
    expect(told(more).map(([category]) => category)).toEqual(expected)
  })

  test('without a known end has only begun', () => {
    const { endedAt: _, ...begun } = change({ outcome: 'begun', detail: { strategy: 'rolling' } })
    expect(categories(eventsOfChange(begun))).toEqual([['deployment_rolling_started', 1]])
  })
})
