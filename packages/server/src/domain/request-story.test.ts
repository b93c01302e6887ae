import { describe, expect, test } from 'vitest'
import type { Decision } from './decision.ts'
import { reasonSentence, requestReasons, type RequestStory } from './request-story.ts'
import { serverDefaults, type ScaleSettings } from './scale.ts'
import { calculated } from './scaling.ts'

const now = 100_000

function decision(more: Partial<Decision> = {}, scale: Partial<ScaleSettings> = {}, running = 0): Decision {
  const all = calculated({ ...serverDefaults, ...scale }, running + 1)
  return {
    at: now,
    scaling: {
      scale: { ...serverDefaults, ...scale },
      running,
      waiting: 1,
      atMost: all,
      atLeast: all,
      desired: { atLeast: all.desired, atMost: all.desired },
      counted: 1,
    },
    there: { pending: 0, starting: 0, idle: 0, busy: 0, ending: 0, finishing: 0 },
    steps: [],
    blocks: [],
    ...more,
  }
}

const there = (more: Partial<Decision['there']>) => ({ ...decision().there, ...more })

function told(more: Partial<RequestStory>): readonly string[] {
  const story: RequestStory = {
    id: 'r1',
    app: 'ann/hello',
    state: 'waiting',
    acceptedAt: now - 12_000,
    attempt: 0,
    dead: false,
    failures: [],
    dueAt: 0,
    position: 0,
    decision: decision(),
    ...more,
  }
  return requestReasons(story).map((reason) => reasonSentence(reason, story.app, story.decision.at))
}

describe('a waiting request is told', () => {
  const next = 'It has waited for 12 s: it is the next one.'

  test.each<[string, Partial<RequestStory>, readonly string[]]>([
    [
      'its place, and that all runners are busy',
      { position: 3, decision: decision({ there: there({ busy: 2 }) }, {}, 2) },
      [
        'It has waited for 12 s: 3 requests are served before it.',
        'No slot is free: all 2 runners that serve have max_multiplexing (1) request each.',
      ],
    ],
    [
      'that a runner is starting, since when, and how long it may',
      { decision: decision({ there: there({ starting: 1, startingSince: now - 4_000 }) }) },
      [next, '1 runner is starting, for 4 s; startup_timeout allows 600 s.'],
    ],
    [
      'that a runner is about to be started',
      { decision: decision({ steps: [{ kind: 'start', cause: 'demand', runners: [], count: 1 }] }) },
      [next, '1 runner is about to be started.'],
    ],
    [
      'that it is about to run',
      { decision: decision({ there: there({ idle: 1 }) }) },
      [next, 'A slot is free, so it is about to run.'],
    ],
    [
      'that runners which are ending use up the cap',
      { decision: decision({ there: there({ idle: 1, ending: 1, finishing: 1 }) }, { max_concurrency: 1 }) },
      [next, '1 runner that is ending still works, and no more than max_concurrency (1) may work at a time.'],
    ],
    [
      'only that its queue is paused, where it is',
      { decision: decision({ blocks: [{ kind: 'paused', held: 1 }], there: there({ idle: 1 }) }) },
      [
        next,
        'The queue is paused, so the 1 request in it starts no runner: `carrick queue resume hello` goes on with them.',
      ],
    ],
    [
      'that no machine has room',
      {
        decision: decision({
          there: there({ pending: 1 }),
          blocks: [{ kind: 'no_place', runners: 1, why: { kind: 'account_runners', limit: 3 } }],
        }),
      },
      [next, '1 runner has no place yet: the account has as many runners as it may (3).'],
    ],
    [
      'when its next attempt is due, and how the last one failed',
      {
        position: undefined,
        attempt: 1,
        dueAt: now + 5_000,
        failures: [{ number: 1, runnerId: 'x', failedAs: '503' }],
      },
      ['Its next attempt is due in 5 s.', 'Attempt 1 failed on runner x with 503 (`carrick runners explain x`).'],
    ],
    [
      'by when it must have started',
      { startBy: now + 30_000, decision: decision({ there: there({ idle: 1 }) }) },
      [
        next,
        'A slot is free, so it is about to run.',
        expect.stringContaining('If it has not started in 30 s, it ends with 504'),
      ],
    ],
    [
      'that there is nothing to run it',
      { decision: { at: now, there: there({}), steps: [], blocks: [] } },
      [next, 'Its app was deleted, or has no active revision.'],
    ],
  ])('%s', (_, story, sentences) => expect(told(story)).toEqual(sentences))
})

test('a running one is told where, for how long, and when it must have ended', () => {
  const running = { state: 'running' as const, attempt: 2, runnerId: 'x', startedAt: now - 3_000, position: undefined }
  expect(told({ ...running, cancelRequestedAt: now - 1_000 })).toEqual([
    'It is running on runner x for 3 s (attempt 2); request_timeout ends it in 59 min 57 s.',
    'Its cancellation was asked for 1 s ago: its app was told, and has not ended it yet.',
  ])
})

test('one that has ended is told how, after how many attempts, and where its time went', () => {
  const ended = { state: 'completed' as const, finishedAt: now, attempt: 1, runnerId: 'x', status: 200 }
  const durations = {
    queued: 500,
    waiting_for_machine: 0,
    starting: 0,
    set_up: 9_500,
    running: 2_000,
    backing_off: 0,
    storing: 0,
  }
  expect(told({ ...ended, timeline: { totalMs: 12_000, durations, attempts: [] } })).toEqual([
    'It ended with 200 on runner x in attempt 1, 12 s after it came.',
    "Its time: 0.5 s in line, 9.5 s in its runner's imports and setup() and 2 s running.",
  ])
  const error = { code: 'runner_disconnected', message: 'The runner went away before it answered' }
  expect(told({ ...ended, status: 503, error, dead: true })).toEqual([
    'It ended with 503 on runner x in attempt 1, 12 s after it came: runner_disconnected, The runner went away before it answered.',
    'All its attempts failed, so it is a dead letter: `carrick requests retry r1` sends it once more.',
  ])
  expect(told({ state: 'completed', finishedAt: now, status: 504 })[0]).toBe(
    'It ended with 504 before any attempt, 12 s after it came.',
  )
})
