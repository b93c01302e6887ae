import { z } from 'zod'

/*
 * Why an app has the runners that it has, why a request waits, why a runner came or went: as data, and as sentences.
 * Kinds may be added, so readers let those pass that they do not know.
 */

const moment = z.string()

/** `kind` says what the rest means; docs/reference/explain.md lists them. */
const Said = z.looseObject({ kind: z.string(), sentence: z.string() })

const Decision = z.object({
  at: moment,
  /** Null where the app has no active revision. */
  inputs: z
    .object({
      running: z.number(),
      waiting: z.number(),
      oldest_wait_ms: z.number().nullable(),
      runners: z.number(),
      max_multiplexing: z.number(),
      min_concurrency: z.number(),
      max_concurrency: z.number(),
      concurrency_buffer: z.number(),
      concurrency_buffer_perc: z.number(),
      scaling_delay: z.number(),
      keep_alive: z.number(),
    })
    .nullable(),
  /** Null where the app has no active revision. */
  calculation: z
    .object({
      volume: z.number(),
      needed: z.number(),
      buffer: z.number(),
      wanted: z.number(),
      desired: z.number(),
      formula: z.string(),
    })
    .nullable(),
  /** Live runners, whatever their revision. */
  runners: z.object({
    pending: z.number(),
    starting: z.number(),
    idle: z.number(),
    /** Of those that are idle. */
    frozen: z.number().default(0),
    busy: z.number(),
    ending: z.number(),
    /** Of those that are ending. */
    finishing: z.number(),
  }),
  /** What a rolling deploy is bringing up beside the active revision. */
  rolling_revision_id: z.string().nullable(),
  outcome: z.array(z.looseObject({ kind: z.string() })),
  blocked_by: z.array(Said),
  sentences: z.array(z.string()),
})
export type ShownDecision = z.infer<typeof Decision>

/** GET /v1/serverless/apps/{owner}/{name}/explain */
export const AppExplanation = z.object({
  endpoint_id: z.string(),
  /** What would be decided now. */
  now: Decision,
  /** What was decided lately, the last one first. `times` in a row nothing was new but the time. */
  decisions: z.array(Decision.extend({ first_at: moment, times: z.number() })),
})
export type AppExplanation = z.infer<typeof AppExplanation>

/** GET /v1/serverless/requests/{id}/explain */
export const RequestExplanation = z.object({
  request_id: z.string(),
  endpoint_id: z.string(),
  status: z.string(),
  at: moment,
  reasons: z.array(Said),
})
export type RequestExplanation = z.infer<typeof RequestExplanation>

/** GET /v1/serverless/runners/{id}/explain */
export const RunnerExplanation = z.object({
  runner_id: z.string(),
  endpoint_id: z.string(),
  revision_id: z.string(),
  machine_type: z.string(),
  state: z.string(),
  created_at: moment,
  ready_at: moment.nullable(),
  ended_at: moment.nullable(),
  reason: z.string().nullable(),
  exit_code: z.number().nullable(),
  exit_signal: z.string().nullable(),
  sentences: z.array(z.string()),
})
export type RunnerExplanation = z.infer<typeof RunnerExplanation>
