import { RunnerList } from '@carrick/protocol/rest'
import { z } from 'zod'
import type { RunnerView } from '../../../domain/runner-view.ts'
import { moment } from '../../platform/input.ts'
import { listRunners } from '../../runners/runners.ts'
import { described } from './described.ts'
import { isoOrNull } from './route.ts'

/** Runners, with the reasons of their ends. */
export const runnerRoutes = [
  described('GET', '/v1/runners', listRunners, {
    summary: 'The runners of the account that live, and those that ended since a moment within the last day, with why',
    query: z.object({ since: moment.optional() }),
    answer: RunnerList,
    read: ({ query: { since } }) => (since === undefined ? {} : { endedSince: since }),
    show: (runners) => ({ runners: runners.map(shown) }),
  }),
]

function shown(runner: RunnerView): RunnerList['runners'][number] {
  const { id, appName, revisionId, state, replacement, machineType, inFlight, uptimeSeconds, reason, exit } = runner
  return {
    runner_id: id,
    app: appName,
    revision: revisionId,
    state: words[state],
    replacement,
    machine_type: machineType,
    in_flight_requests: inFlight,
    frozen_since: isoOrNull(runner.frozenSince),
    uptime_seconds: Math.floor(uptimeSeconds),
    started_at: isoOrNull(runner.startedAt),
    ended_at: isoOrNull(runner.endedAt),
    reason: reason ?? null,
    exit_code: exit?.code ?? null,
    exit_signal: exit?.signal ?? null,
  }
}

const words = {
  pending: 'PENDING',
  docker_pull: 'DOCKER_PULL',
  setup: 'SETUP',
  idle: 'IDLE',
  running: 'RUNNING',
  draining: 'DRAINING',
  terminating: 'TERMINATING',
  terminated: 'TERMINATED',
  crash_backoff: 'CRASH_BACKOFF',
} as const satisfies Record<RunnerView['state'], string>
