import { AppExplanation, RequestExplanation, RunnerExplanation, type ShownDecision } from '@carrick/protocol/explain'
import { queueStatuses } from '@carrick/protocol/words'
import { z } from 'zod'
import type { Block, Decision, Step } from '../../../domain/decision.ts'
import { blockSentence, decisionSentences, formulaOf } from '../../../domain/decision-words.ts'
import { reasonSentence, type RequestReason } from '../../../domain/request-story.ts'
import { explainApp } from '../../explain/explain-app.ts'
import { explainRequest } from '../../explain/explain-request.ts'
import { explainRunner } from '../../explain/explain-runner.ts'
import { described } from './described.ts'
import { iso, isoOrNull, named, type Route } from './route.ts'

/** Why there are so many runners, why a request waits, why a runner came or went. */
export const platformExplainRoutes: readonly Route[] = [
  described('GET', '/v1/serverless/apps/:owner/:name/explain', explainApp, {
    summary: 'Why an app has as many runners as it has: what would be decided now, and the last decisions',
    query: z.object({ last: z.coerce.number().int().min(0).max(50).default(10) }),
    answer: AppExplanation,
    read: ({ params, query: { last } }) => ({ ...named(params), last }),
    show: ({ app, now, kept }) => ({
      endpoint_id: app,
      now: shownDecision(now, app),
      decisions: kept.map(({ decision, firstAt, times }) => ({
        ...shownDecision(decision, app),
        first_at: iso(firstAt),
        times,
      })),
    }),
  }),

  described('GET', '/v1/serverless/requests/:id/explain', explainRequest, {
    summary: 'Why a request waits, or what became of it',
    answer: RequestExplanation,
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: ({ id, app, state, at, reasons }) => ({
      request_id: id,
      endpoint_id: app,
      status: queueStatuses[state],
      at: iso(at),
      reasons: reasons.map((reason) => ({
        ...shownReason(reason, app, at),
        kind: reason.kind === 'blocked' ? reason.block.kind : reason.kind,
        sentence: reasonSentence(reason, app, at),
      })),
    }),
  }),

  described('GET', '/v1/serverless/runners/:id/explain', explainRunner, {
    summary: 'Why a runner was started, and why it ended',
    answer: RunnerExplanation,
    read: ({ params }) => ({ id: params['id'] ?? '' }),
    show: ({ app, runner, sentences }) => ({
      runner_id: runner.id,
      endpoint_id: app,
      revision_id: runner.revisionId,
      machine_type: runner.machineType,
      state: runner.state,
      created_at: iso(runner.createdAt),
      ready_at: isoOrNull(runner.readyAt),
      ended_at: isoOrNull(runner.endedAt),
      reason: runner.endReason ?? runner.drainReason ?? null,
      exit_code: runner.exit?.code ?? null,
      exit_signal: runner.exit?.signal ?? null,
      sentences: [...sentences],
    }),
  }),
]

function shownDecision(decision: Decision, app: string): ShownDecision {
  const { at, scaling, there, rolling, steps, blocks } = decision
  const { pending, starting, idle, frozen = 0, busy, ending, finishing } = there
  return {
    at: iso(at),
    inputs: scaling
      ? {
          running: scaling.running,
          waiting: scaling.waiting,
          oldest_wait_ms: scaling.waitingSince === undefined ? null : at - scaling.waitingSince,
          runners: scaling.counted,
          max_multiplexing: scaling.scale.max_multiplexing,
          min_concurrency: scaling.scale.min_concurrency,
          max_concurrency: scaling.scale.max_concurrency,
          concurrency_buffer: scaling.scale.concurrency_buffer,
          concurrency_buffer_perc: scaling.scale.concurrency_buffer_perc,
          scaling_delay: scaling.scale.scaling_delay,
          keep_alive: scaling.scale.keep_alive,
        }
      : null,
    calculation: scaling
      ? {
          volume: scaling.atMost.volume,
          needed: scaling.atMost.needed,
          buffer: scaling.atMost.buffer,
          wanted: scaling.atMost.wanted,
          desired: scaling.atMost.desired,
          formula: formulaOf(scaling.scale, scaling.atMost),
        }
      : null,
    runners: { pending, starting, idle, frozen, busy, ending, finishing },
    rolling_revision_id: rolling ?? null,
    outcome: steps.map(shownStep),
    blocked_by: blocks.map((block) => ({
      ...shownBlock(block, at),
      kind: block.kind,
      sentence: blockSentence(block, app, at),
    })),
    sentences: [...decisionSentences(decision, app)],
  }
}

function shownStep(step: Step): { kind: string } & Record<string, unknown> {
  if (step.kind === 'start') {
    const { kind, cause, count, runners, startAt } = step
    return { kind, cause, count, runner_ids: [...runners], start_at: isoOrNull(startAt) }
  }
  if (step.kind === 'begin') return { kind: step.kind, runner_id: step.runner }
  if (step.kind === 'cancel') return { kind: step.kind, runner_id: step.runner, cause: step.cause }
  const { kind, runner, cause, idleMs, limitMs } = step
  return { kind, runner_id: runner, cause, idle_ms: idleMs, may_idle_ms: limitMs }
}

function shownBlock(block: Block, at: number): Record<string, unknown> {
  switch (block.kind) {
    case 'max_concurrency':
      return { wanted: block.wanted, cap: block.cap }
    case 'backoff':
      return {
        until: iso(block.until),
        left_ms: block.until - at,
        failures: block.failures,
        failed_runner_id: block.failed?.runnerId ?? null,
        failed_reason: block.failed?.reason ?? null,
      }
    case 'scaling_delay':
      return { until: iso(block.until), left_ms: block.until - at, waiting: block.waiting }
    case 'no_place':
      return { runners: block.runners, why: { ...block.why } }
    case 'paused':
      return { held: block.held }
    default:
      return { revision_id: block.revisionId }
  }
}

function shownReason(reason: RequestReason, app: string, at: number): Record<string, unknown> {
  switch (reason.kind) {
    case 'blocked':
      return shownBlock(reason.block, at)
    case 'running':
      return { runner_id: reason.runnerId, since: iso(reason.since), attempt: reason.attempt }
    case 'in_line':
      return { since: iso(reason.since), ahead: reason.ahead }
    case 'attempt_failed':
      return { number: reason.number, runner_id: reason.runnerId, failed_as: reason.failedAs }
    case 'retry_due':
    case 'start_deadline':
      return { at: iso(reason.at) }
    case 'finishing':
      return { runners: reason.runners, max_concurrency: reason.cap }
    case 'all_busy':
      return { runners: reason.runners, max_multiplexing: reason.multiplexing }
    case 'starting':
      return { runners: reason.runners, since: iso(reason.since) }
    case 'about_to_start':
    case 'pending':
      return { runners: reason.runners }
    case 'ended':
      return { status_code: reason.status, error_type: reason.error?.code ?? null, after_ms: reason.afterMs }
    default:
      return {}
  }
}
