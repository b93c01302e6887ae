/** What the control plane's REST answers hold, for every side that reads or writes them. */
import { z } from 'zod'

/** The body of every refusal. */
export const Refusal = z.object({ detail: z.string(), error_type: z.string().optional() })

/** GET /users/current */
export const CurrentUser = z.object({
  user_id: z.string(),
  nickname: z.string(),
  full_name: z.string(),
  is_personal: z.boolean(),
  is_locked: z.boolean(),
  /** There when clients are to show what a deploy changes, and to ask, before they deploy. */
  require_deploy_check: z.literal(true).optional(),
})
export type CurrentUser = z.infer<typeof CurrentUser>

/** GET /users/teams: the accounts that the caller can act for. */
export const Teams = z.array(
  z.object({
    user_id: z.string(),
    nickname: z.string(),
    full_name: z.string(),
    is_personal: z.boolean(),
    is_org: z.boolean(),
    lock_reason: z.string().nullable(),
  }),
)
export type Teams = z.infer<typeof Teams>

const moment = z.iso.datetime().nullable()

/** GET /runners/{id}: when it lived. */
export const RunnerWindow = z.object({
  started_at: moment,
  ended_at: moment,
  /** Of one that has ended. */
  termination_reason: z.string().optional(),
})
export type RunnerWindow = z.infer<typeof RunnerWindow>

/** POST /logs/history: newest first. `next_until` is there when older lines are left: ask again with it as `until`. */
export const LogPage = z.object({
  items: z.array(z.object({ timestamp: z.iso.datetime(), message: z.string(), level: z.string() })),
  next_until: moment,
})
export type LogPage = z.infer<typeof LogPage>

/** POST /v1/system/prune */
export const PruneRequest = z.object({
  dry_run: z.boolean().default(false).describe('Tells what would go and takes nothing away'),
  all: z.boolean().default(false).describe('Caches too, and what is an hour old instead of a day'),
})

/** What went, or would go. `bytes` is null where nobody knows how many. */
export const PruneAnswer = z.object({
  dry_run: z.boolean(),
  pruned: z.array(z.object({ kind: z.string(), name: z.string(), count: z.number(), bytes: z.number().nullable() })),
  bytes: z.number(),
})
export type PruneAnswer = z.infer<typeof PruneAnswer>

/** POST /v1/images: an image that was pushed to the registry, and the name by which deploys find it from now on. */
export const ImageImport = z.object({
  name: z.string().max(255),
  repository: z.string().max(255),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
})

/** What it answers. `engine`: whether the server's container engine has it under that name. */
export const ImportedImage = ImageImport.extend({ engine: z.boolean() })
export type ImportedImage = z.infer<typeof ImportedImage>

/** GET /v1/images: what a server has of images. `bytes` and `created_at` are null where nobody knows. */
export const StoredImage = z.object({
  kind: z.enum(['imported', 'base', 'environment']),
  name: z.string(),
  digest: z.string().nullable(),
  bytes: z.number().nullable().describe('In the registry, else in the engine; with what it shares with others'),
  created_at: z.iso.datetime().nullable(),
  used_by: z.array(z.object({ app: z.string(), revision_id: z.string() })).describe('The revisions that need it'),
})
export const ImageList = z.object({ images: z.array(StoredImage) })
export type ImageList = z.infer<typeof ImageList>

/** DELETE /v1/images/NAME: what went. Its bytes stay in the registry for so many hours. */
export const RemovedImage = StoredImage.omit({ used_by: true }).extend({ collected_after_hours: z.number() })
export type RemovedImage = z.infer<typeof RemovedImage>

/** POST /v1/accounts */
export const AccountRequest = z.object({ nickname: z.string() })

/** What it answers: the account and its first key, whose secret is nowhere else. */
export const NewAccount = z.object({
  user_id: z.string(),
  nickname: z.string(),
  key_id: z.string(),
  key_secret: z.string(),
})
export type NewAccount = z.infer<typeof NewAccount>

/** GET /v1/serverless/files/usage: what is in `/data`; null where it was not measured yet, or there is no limit. */
export const DataUsage = z.object({ used_bytes: z.number().nullable(), limit_bytes: z.number().nullable() })
export type DataUsage = z.infer<typeof DataUsage>

/** PATCH /v1/accounts/:name */
export const AccountChange = z.object({
  data_quota: z
    .int()
    .min(0)
    .nullable()
    .optional()
    .describe('Most bytes in /data; 0 is no limit, null is that of the server'),
  monthly_limit: z
    .number()
    .nullable()
    .optional()
    .describe('What it may spend in a month, by the prices of the catalogue; null is any amount'),
})
/** What was not said is not in it. */
export const ChangedAccount = z.object({
  nickname: z.string(),
  data_quota: z.number().nullable().optional(),
  monthly_limit: z.number().nullable().optional(),
  /** Whether any machine type has a price: without, nothing is ever spent. */
  has_prices: z.boolean(),
})

/** GET /v1/accounts: oldest first. */
export const AccountList = z.object({
  accounts: z.array(
    z.object({
      user_id: z.string(),
      nickname: z.string(),
      created_at: z.iso.datetime(),
      data_quota: z.number().nullable().describe('Its own limit for /data; null is that of the server, 0 is none'),
      data: DataUsage,
      monthly_limit: z.number().nullable().describe('What it may spend in a month; null is any amount'),
      spent_this_month: z.number().nullable().describe('Counted now and then, where it has a limit'),
    }),
  ),
})
export type AccountList = z.infer<typeof AccountList>

const counts = z.record(z.string(), z.number())

/** GET /applications/metrics: GPUs in use by the name of the GPU; apps by `owner/name`. */
export const AppMetrics = z.object({
  summary: z.object({ total_gpu_by_type: counts }),
  apps: z.record(z.string(), z.object({ gpu_count_by_type: counts })),
})
export type AppMetrics = z.infer<typeof AppMetrics>

/** GET /applications/{owner}/{app}/queue; `by_user` when it was asked for. */
export const QueueSize = z.object({ size: z.number(), by_user: z.record(z.string(), z.number()).optional() })
export type QueueSize = z.infer<typeof QueueSize>

/** DELETE /applications/{owner}/{app}/queue: how many requests were cancelled. */
export const QueueFlushed = z.object({ cancelled: z.number() })
export type QueueFlushed = z.infer<typeof QueueFlushed>

/** GET /v1/events: newest first; `next_cursor` goes into `cursor` for those before. */
export const EventList = z.object({
  events: z.array(
    z.object({
      id: z.string(),
      key_id: z.string(),
      at: z.iso.datetime(),
      /** Null while it is not known how it ended. */
      ended_at: moment,
      action: z.string(),
      subject: z.string(),
      /** `begun` is what a crash leaves of a change whose end is not known. */
      outcome: z.enum(['begun', 'done', 'failed']),
      detail: z.record(z.string(), z.unknown()),
    }),
  ),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
})
export type EventList = z.infer<typeof EventList>

/** GET /v1/runners: those that live, oldest first, then those that ended since then, the last one first. */
export const RunnerList = z.object({
  runners: z.array(
    z.object({
      runner_id: z.string(),
      app: z.string(),
      revision: z.string(),
      state: z.enum([
        'PENDING',
        'DOCKER_PULL',
        'SETUP',
        'IDLE',
        'RUNNING',
        'DRAINING',
        'TERMINATING',
        'TERMINATED',
        'CRASH_BACKOFF',
      ]),
      /** Another takes its place: once that serves, or it does already. */
      replacement: z.enum(['none', 'will', 'did']),
      machine_type: z.string(),
      in_flight_requests: z.number(),
      /** Since when it is frozen: its state is IDLE then. */
      frozen_since: moment.default(null),
      uptime_seconds: z.number(),
      started_at: moment,
      ended_at: moment,
      /** Why it ended, or is asked to. */
      reason: z.string().nullable(),
      /** How its process ended, where it had one. */
      exit_code: z.number().nullable(),
      exit_signal: z.string().nullable(),
    }),
  ),
})
export type RunnerList = z.infer<typeof RunnerList>

/** GET /v1/status */
export const ServerStatus = z.object({
  version: z.string(),
  backend: z.string(),
  /** The container engine that runs them, such as `Docker 28.2.2`. */
  engine: z.string().optional(),
  apps: z.number(),
  runners: z.number(),
  queued: z.number(),
  /** The apps whose queue is paused, as `owner/name`. */
  paused: z.array(z.string()),
  running: z.number(),
  disk_free_bytes: z.number(),
  /** The machines that are in maintenance, and how many runners, of all accounts, are on each still. */
  maintenance: z
    .array(
      z.object({
        machine: z.string(),
        since: z.iso.datetime(),
        deadline: z.iso.datetime().nullable(),
        message: z.string().nullable(),
        runners: z.number(),
      }),
    )
    .readonly()
    .default([]),
  /** What keeps runners within their bounds and apart: each part, by what, or null and why it is not had. */
  confinement: z
    .array(z.object({ part: z.string(), by: z.string().nullable(), why: z.string().optional() }))
    .readonly()
    .default([]),
  /** Why runners cannot be frozen here, as half a sentence; null where they can. */
  without_freezing: z.string().nullable().default(null),
})
export type ServerStatus = z.infer<typeof ServerStatus>

/** GET /files/list/{path}: what is in a folder. */
export const FileItem = z.object({
  /** Absolute, below `/data`. */
  path: z.string(),
  name: z.string(),
  size: z.number(),
  is_file: z.boolean(),
  created_time: z.iso.datetime(),
  updated_time: z.iso.datetime(),
})
export type FileItem = z.infer<typeof FileItem>

/** POST /files/file/url/{path} */
export const FromUrl = z.object({ url: z.string() })

/** POST /files/rename/{path} */
export const NewPath = z.object({ destination: z.string() })

/** POST /files/dir/check_hash/{path} */
export const FolderHash = z.object({ hash: z.string() })

/** POST …/complete: the parts as the answers to them said. */
export const FileParts = z.object({ parts: z.array(z.object({ part_number: z.number(), etag: z.string() })) })

/** POST /files/app/multipart/{hash}/{upload}/complete. All that `metadata` says is text. */
export const StoredParts = z.object({ ...FileParts.shape, metadata: z.object({ mode: z.string() }) })

/** POST /files/missing_hashes */
export const FileHashes = z.object({ hashes: z.array(z.string()) })
/** GET /billing/user_details: nobody is billed on one's own machines. */
export const BillingDetails = z.object({ user_id: z.string(), is_paying: z.boolean(), is_locked: z.boolean() })
export type BillingDetails = z.infer<typeof BillingDetails>

/** POST /requests/billable-units/{request_id} */
export const BillableUnits = z.object({ billable_units: z.string() })

/** What it answers: whether the request has a record that this stands on. */
export const UnitsReported = z.object({ recorded: z.boolean() })
export type UnitsReported = z.infer<typeof UnitsReported>
