/** What the platform API takes and answers, under `/v1`. The OpenAPI document is made of these. */
import { z } from 'zod'

const moment = z.iso.datetime()

/** The body of every refusal under `/v1/serverless`, `/v1/keys` and `/v1/meta`. */
export const PlatformRefusal = z.object({
  error: z.object({
    type: z.enum([
      'authorization_error',
      'validation_error',
      'not_found',
      'rate_limited',
      'server_error',
      'not_implemented',
    ]),
    message: z.string(),
    /** One of docs/reference/errors.md. */
    code: z.string(),
    request_id: z.string(),
  }),
})
export type PlatformRefusal = z.infer<typeof PlatformRefusal>

/** Where the next page begins: `next_cursor` goes into `cursor`. */
const page = { next_cursor: z.string().nullable(), has_more: z.boolean() }

const aclDecision = z.enum(['allow', 'forbid', 'hide'])

/** Who may read an uploaded file: the first rule about a user, else the default. */
export const FileAcl = z.object({
  default: aclDecision,
  rules: z.array(z.object({ user: z.string(), decision: aclDecision })),
})
export type FileAcl = z.infer<typeof FileAcl>

export const FileSigning = z.object({
  expiration_seconds: z
    .number()
    .int()
    .min(1)
    .max(7 * 86_400),
})
export type FileSigning = z.infer<typeof FileSigning>

export const SignedFile = z.object({ signed_url: z.string(), expires_at: moment })
export type SignedFile = z.infer<typeof SignedFile>

export const PlatformApp = z.object({
  endpoint_id: z.string(),
  owner: z.string(),
  name: z.string(),
  environment: z.string(),
  machine_type: z.string(),
  machine_types: z.array(z.string()),
  auth_mode: z.enum(['private', 'public', 'shared']),
  revision_id: z.string().nullable(),
  keep_alive: z.number(),
  min_concurrency: z.number(),
  max_concurrency: z.number(),
  max_multiplexing: z.number(),
  concurrency_buffer: z.number(),
  concurrency_buffer_perc: z.number(),
  scaling_delay: z.number(),
  request_timeout: z.number(),
  request_start_timeout: z.number().nullable(),
  startup_timeout: z.number(),
  valid_regions: z.array(z.string()),
  created_at: moment,
  updated_at: moment,
  /** With `expand=endpoints`: the ids of what the app's OpenAPI document describes. */
  endpoints: z.array(z.string()).optional(),
})
export type PlatformApp = z.infer<typeof PlatformApp>

/** GET /v1/serverless/apps */
export const PlatformApps = z.object({ apps: z.array(PlatformApp), ...page })

/** GET /v1/serverless/apps/{owner}/{name}/queue */
export const PlatformQueue = z.object({ queue_size: z.number() })

/** GET and PATCH /v1/serverless/apps/{owner}/{name}/queue/settings; `retention_days` is null where the server's holds. */
export const PlatformQueueSettings = z.object({
  paused: z.boolean(),
  fair_share: z.boolean(),
  weights: z.record(z.string(), z.number()),
  retention_days: z.number().nullable(),
  queue_size: z.number(),
})
export type PlatformQueueSettings = z.infer<typeof PlatformQueueSettings>

/** What changes; null in it goes back to the default. */
export const QueueRequest = z.strictObject({
  paused: z.boolean().optional(),
  fair_share: z.boolean().optional(),
  /** By key id or alias. */
  weights: z.record(z.string(), z.number().nullable()).optional(),
  retention_days: z.number().nullable().optional(),
})
export type QueueRequest = z.infer<typeof QueueRequest>

/** GET and PATCH /v1/serverless/apps/{owner}/{name}/freezing. Seconds; `freeze_after` is null where the server's holds, 0 for never. */
export const PlatformFreezing = z.object({
  freeze_after: z.number().nullable(),
  /** Null: never. */
  in_force: z.number().nullable(),
  /** Why none is frozen on this server whatever is set, as half a sentence. */
  impossible: z.string().nullable(),
})
export type PlatformFreezing = z.infer<typeof PlatformFreezing>

/** Null: as the server is set. */
export const FreezingRequest = z.strictObject({ freeze_after: z.number().nullable() })
export type FreezingRequest = z.infer<typeof FreezingRequest>

/** GET /v1/serverless/apps/{owner}/{name}/runners/history */
export const RunnerHistory = z.object({
  timeframe: z.enum(['minute', 'hour', 'day', 'week', 'month']),
  aggregation: z.enum(['max', 'avg']),
  history: z.array(
    z.object({
      bucket: moment,
      /** Serving, whether it had a request or not: the two are not told apart afterwards, so `idle` is null. */
      running: z.number(),
      idle: z.null(),
      pending: z.number(),
      draining: z.number(),
    }),
  ),
  /** Whether it counts every runner of the window. */
  complete: z.boolean(),
})

/** GET /v1/serverless/apps/{owner}/{name}/events */
export const AppEvents = z.object({
  events: z.array(
    z.looseObject({
      id: z.string(),
      category: z.string(),
      timestamp: moment,
      actor: z.object({ nickname: z.string(), full_name: z.string() }).nullable(),
    }),
  ),
  ...page,
})

/** GET /v1/serverless/apps/{owner}/{name}/revisions */
export const PlatformRevisions = z.object({
  revisions: z.array(
    z.object({
      revision_id: z.string(),
      created_at: moment,
      is_current: z.boolean(),
      /** How its last deployment ended; null where it had none, or gave way to a newer one. */
      status: z.enum(['deployed', 'failed', 'deploying']).nullable(),
      /** Why it failed, with the last words of the runner that failed. */
      failure: z.string().nullable(),
      message: z.string().nullable(),
      annotations: z.record(z.string(), z.unknown()),
      deployed_by: z.object({ nickname: z.string(), key_id: z.string() }).nullable(),
    }),
  ),
  ...page,
})

const measured = z.record(z.string(), z.number().nullable())

/** GET /v1/serverless/analytics */
export const Analytics = z.object({
  timeframe: z.enum(['minute', 'hour', 'day', 'week', 'month']),
  time_series: z
    .array(z.object({ bucket: moment, results: z.array(z.object({ endpoint_id: z.string(), metrics: measured })) }))
    .optional(),
  summary: z.array(z.object({ endpoint_id: z.string(), metrics: measured })).optional(),
  /** Whether every request of the window was counted; where not, those that ended last were. */
  complete: z.boolean(),
})

/** POST /v1/serverless/logs/history: newest first. */
export const PlatformLogLine = z.object({
  timestamp: moment,
  level: z.string(),
  message: z.string(),
  app: z.string().nullable(),
  revision: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
})
export type PlatformLogLine = z.infer<typeof PlatformLogLine>
export const PlatformLogs = z.object({ items: z.array(PlatformLogLine), ...page })

/** What may stand in the body of the two log calls instead of the query. */
export const LogLabels = z
  .object({
    labels: z
      .array(
        z.object({
          key: z.string().max(100),
          value: z.union([z.string().max(1_000), z.array(z.string().max(1_000)).max(100)]),
          condition_type: z.enum(['equals', 'in', 'not_equals', 'not_in']).default('equals'),
        }),
      )
      .max(20)
      .default([]),
  })
  .optional()

/** GET /v1/serverless/requests/by-endpoint: those of the queue that have ended, the last one first. */
export const PlatformRequests = z.object({
  items: z.array(
    z.object({
      request_id: z.string(),
      endpoint_id: z.string(),
      sent_at: moment,
      started_at: moment.nullable(),
      ended_at: moment,
      status_code: z.number(),
      error_type: z.string().nullable(),
      /** Seconds from its last start to its end. */
      duration: z.number().nullable(),
      runner_id: z.string().nullable(),
      /** With `expand=payloads`; null where it is no JSON, or longer than 32 KiB. */
      json_input: z.unknown().optional(),
      json_output: z.unknown().optional(),
      /** With `expand=billing`: what the app said that it was worth. */
      billable_units: z.string().nullable().optional(),
    }),
  ),
  ...page,
})

/** GET /v1/serverless/usage */
export const Usage = z.object({
  start: moment,
  end: moment,
  usage: z.array(
    z.object({
      app: z.string(),
      environment: z.string(),
      machine_type: z.string(),
      unit: z.literal('second'),
      quantity: z.number(),
      unit_price: z.number(),
      percent_discount: z.number(),
      cost_subtotal: z.number(),
      cost_discount: z.number(),
      cost_total: z.number(),
      currency: z.string(),
      is_surge: z.boolean(),
    }),
  ),
})

/** What was used. Money is null where the operator has set no price. */
const used = {
  runner_seconds: z.number(),
  gpu_seconds: z.number(),
  requests: z.number(),
  billable_units: z.number(),
  cost: z.number().nullable(),
}

/** GET /v1/serverless/usage/report: what is told apart is named in each row, and null where it is nobody's or not to be known. */
export const UsageReport = z.object({
  start: moment,
  end: moment,
  by: z.array(z.string()),
  rows: z.array(
    z.object({
      app: z.string().nullable().optional(),
      environment: z.string().nullable().optional(),
      revision: z.string().nullable().optional(),
      machine_type: z.string().nullable().optional(),
      caller: z.string().nullable().optional(),
      key: z.string().nullable().optional(),
      hour: z.string().optional(),
      day: z.string().optional(),
      month: z.string().optional(),
      ...used,
    }),
  ),
  total: z.object(used),
  currency: z.string().nullable(),
})
export type UsageReport = z.output<typeof UsageReport>

/** GET /v1/keys */
export const PlatformKeys = z.object({
  keys: z.array(
    z.object({
      key_id: z.string(),
      alias: z.string(),
      permissions: z.array(z.string()),
      created_at: moment,
    }),
  ),
  ...page,
})

/** POST /v1/keys. Without a preset and permissions it is an API key. */
export const PlatformKeyRequest = z.object({
  alias: z.string().min(1).max(255),
  preset: z.string().optional(),
  permissions: z.array(z.string()).max(1_000).optional(),
})

/** What it answers: the secret is nowhere else. */
export const PlatformKey = z.object({ key_id: z.string(), key_secret: z.string(), key: z.string() })

/** GET /v1/meta */
export const Meta = z.object({ version: z.string(), webhook_ip_ranges: z.array(z.string()) })

/** Which numbers can be is for the server to say. */
const amount = z.number().optional()

/** POST /v1/serverless/apps/{owner}/{name}/scale: what is absent stays. */
export const ScaleRequest = z.strictObject({
  keep_alive: amount,
  min_concurrency: amount,
  max_concurrency: amount,
  concurrency_buffer: amount,
  concurrency_buffer_perc: amount,
  scaling_delay: amount,
  request_timeout: amount,
  /** 0 takes it away. */
  request_start_timeout: amount,
  max_multiplexing: amount,
  startup_timeout: amount,
  valid_regions: z.array(z.string()).max(100).optional(),
  machine_types: z.array(z.string()).max(100).optional(),
  num_gpus: amount,
})

/** POST /v1/serverless/apps/{owner}/{name}/rollout */
export const RolloutRequest = z.strictObject({ force: z.boolean().default(false) }).default({ force: false })

/** POST /v1/serverless/apps/{owner}/{name}/revision */
export const RevisionRequest = z.strictObject({
  revision_id: z.string(),
  auth_mode: z.enum(['private', 'public', 'shared']).optional(),
  strategy: z.enum(['recreate', 'rolling']).default('rolling'),
})

/** GET /v1/serverless/environments */
const PlatformEnvironment = z.object({
  name: z.string(),
  description: z.string().nullable(),
  created_at: moment,
  is_default: z.boolean(),
})
export const PlatformEnvironments = z.object({ environments: z.array(PlatformEnvironment) })

/** POST /v1/serverless/environments */
export const EnvironmentRequest = z.strictObject({ name: z.string(), description: z.string().max(1_000).optional() })
export const NewEnvironment = PlatformEnvironment

/** GET /v1/serverless/secrets: names, never values. */
export const PlatformSecrets = z.object({
  secrets: z.array(
    z.object({ name: z.string(), environment: z.string(), created_at: moment, default_exposed: z.boolean() }),
  ),
})

/** PUT /v1/serverless/secrets/{name} */
export const SecretRequest = z.strictObject({
  value: z.string(),
  environment: z.string().optional(),
  default_exposed: z.boolean().optional(),
})

/** A request of the queue, as its app's owner sees it. */
const AppRequest = z.object({
  request_id: z.string(),
  endpoint_id: z.string(),
  status: z.enum(['IN_QUEUE', 'IN_PROGRESS', 'COMPLETED']),
  /** What it was answered with, by the app or in its place. */
  status_code: z.number().nullable(),
  /** There when the platform, not the app, has spoken. */
  error_type: z.string().nullable(),
  error: z.string().nullable(),
  /** It has failed for want of attempts. */
  dead: z.boolean(),
  priority: z.enum(['normal', 'low']),
  /** Those that have started. */
  attempts: z.number(),
  /** The account's nickname for its own, else what the app was told; null when that is kept no longer. */
  caller: z.string().nullable(),
  /** Of the account's own. */
  key_id: z.string().nullable(),
  sent_at: moment,
  started_at: moment.nullable(),
  ended_at: moment.nullable(),
  cancel_requested_at: moment.nullable(),
  runner_id: z.string().nullable(),
  /** The request that it sends again. */
  retried_from: z.string().nullable(),
})
export type ListedRequest = z.infer<typeof AppRequest>

/** GET /v1/serverless/apps/{owner}/{name}/requests */
export const AppRequests = z.object({ requests: z.array(AppRequest), ...page })
export type AppRequests = z.infer<typeof AppRequests>

/** Milliseconds by what went on. */
const durations = {
  queued_ms: z.number(),
  waiting_for_machine_ms: z.number(),
  starting_ms: z.number(),
  set_up_ms: z.number(),
  running_ms: z.number(),
  backing_off_ms: z.number(),
  storing_ms: z.number(),
}

/** Where a request's time went, from its acceptance to its end or until now. The parts add up to the total. */
export const RequestTimeline = z.object({
  total_ms: z.number(),
  ...durations,
  /** Each from the end of the one before it to its own. */
  attempts: z.array(
    z.object({
      number: z.number(),
      runner_id: z.string(),
      started_at: moment,
      /** The error's type or the app's status, where another attempt was to follow. */
      failed_as: z.string().nullable(),
      ...durations,
    }),
  ),
})
export type RequestTimeline = z.infer<typeof RequestTimeline>

/** GET /v1/serverless/requests/{id} */
export const RequestDetail = AppRequest.extend({
  /** Null when it is kept no longer: then the request cannot be sent again. */
  input: z.object({ path: z.string(), bytes: z.number() }).nullable(),
  attempt_list: z.array(
    z.object({
      number: z.number(),
      runner_id: z.string(),
      started_at: moment,
      ended_at: moment.nullable(),
      status_code: z.number().nullable(),
      error_type: z.string().nullable(),
    }),
  ),
  /** Null when it went between two looks. */
  timeline: RequestTimeline.nullable(),
  /** The requests that sent it again, the first one first. */
  retries: z.array(z.string()),
  /** Where its log lines are: POST there. */
  logs: z.string(),
})
export type RequestDetail = z.infer<typeof RequestDetail>

/** POST /v1/serverless/requests/{id}/retry */
export const RetriedRequest = z.object({ request_id: z.string(), endpoint_id: z.string(), retried_from: z.string() })
/** A webhook, and what became of it. */
export const PlatformWebhook = z.object({
  request_id: z.string(),
  url: z.string(),
  /** `waiting`: its request has no outcome yet; `due`: it is being delivered, or will be tried again. */
  state: z.enum(['waiting', 'due', 'delivered', 'failed']),
  /** Deliveries that ended, since the outcome or since it was asked to be sent again. */
  attempts: z.number(),
  next_attempt_at: moment.nullable(),
  last_attempt_at: moment.nullable(),
  last_status_code: z.number().nullable(),
  /** The beginning of what the receiver answered, or why there was no answer. */
  last_answer: z.string().nullable(),
})
export type PlatformWebhook = z.infer<typeof PlatformWebhook>

/** GET /v1/serverless/webhooks: those of the newest requests first. */
export const PlatformWebhooks = z.object({ webhooks: z.array(PlatformWebhook), ...page })

/** While a machine gets no new runners, and lets go of those that it has. */
export const MachineMaintenance = z.object({
  since: moment,
  /** What still runs there then is killed. */
  deadline: moment.nullable(),
  message: z.string().nullable(),
})

/** POST /v1/machines/drain, and without a deadline /v1/machines/undrain */
export const DrainMachine = z.object({
  /** May be left out where there is one. */
  machine: z.string().optional(),
  /** Seconds from now; at most a week. Left out: as long as requests and teardown may take. */
  deadline_seconds: z.number().optional(),
  message: z.string().optional(),
})
/** What it answers: the runners are those that are on the machine still, of all accounts. */
export const MachineDrain = z.object({
  machine: z.string(),
  maintenance: MachineMaintenance.nullable(),
  runners: z.number(),
})
export type MachineDrain = z.infer<typeof MachineDrain>

/** GET /v1/machines: what there is to run on, and what the caller's runners use of it; all runners for who looks after it all. */
export const Machines = z.object({
  machines: z.array(
    z.object({
      id: z.string(),
      region: z.string(),
      cpus: z.number(),
      memory_bytes: z.number(),
      /** Null while it serves. */
      maintenance: MachineMaintenance.nullable().default(null),
      gpus: z.array(
        z.object({
          index: z.number(),
          uuid: z.string().nullable(),
          name: z.string(),
          memory_bytes: z.number().nullable(),
          /** The runner that has it, where that may be seen. */
          runner_id: z.string().nullable(),
        }),
      ),
      runners: z.array(
        z.object({
          runner_id: z.string(),
          app: z.string().nullable(),
          machine_type: z.string(),
          cpus: z.number(),
          memory_bytes: z.number(),
          gpus: z.array(z.number()),
        }),
      ),
    }),
  ),
  machine_types: z.array(
    z.object({
      name: z.string(),
      cpus: z.number(),
      memory_bytes: z.number(),
      gpu: z.string().nullable(),
      gpus: z.number(),
      price_per_second: z.number().nullable(),
      /** Whether a machine here could hold a runner of it. */
      fits: z.boolean(),
    }),
  ),
  /** The caller's runners that could begin and have no place, and why. */
  waiting: z.array(z.object({ runner_id: z.string(), app: z.string(), why: z.string() })),
  rules: z.object({
    cpu_overcommit: z.number(),
    memory_overcommit: z.number(),
    runners_per_machine: z.number(),
    runners_per_account: z.number(),
    gpus_per_account: z.number(),
    unplaceable: z.enum(['refuse', 'wait']),
  }),
})
export type Machines = z.infer<typeof Machines>
