import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'

const whole = z.coerce.number().int()
const milliseconds = whole.min(1)
const bytes = whole.min(1)

/**
 * Every setting. A flag `--some-name` of `carrick up` is the variable CARRICK_SOME_NAME; flags come before variables.
 * docs/reference/settings.md lists the same ones; a test keeps the two equal.
 */
export const settings = z.object({
  CARRICK_DATA: z
    .string()
    .default(join(homedir(), '.carrick'))
    .describe('The data folder: everything that Carrick keeps'),
  CARRICK_CACHE: z
    .string()
    .default('')
    .describe('Downloads and tools that may be deleted at any time (default: cache/ in the data folder)'),
  CARRICK_PORT: whole.min(0).max(65_535).default(8700).describe('The one port; 0 takes a free one'),
  CARRICK_HOST: z.string().default('127.0.0.1').describe('The address to listen on'),
  CARRICK_BACKEND: z.enum(['process']).default('process').describe('Where runners run'),
  CARRICK_OWNER: z
    .string()
    .optional()
    .describe("The first account's nickname, the owner in `owner/app` (default: your login name)"),
  CARRICK_NAME: z.string().default('').describe('More host names of this server, separated by commas'),
  CARRICK_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('warn')
    .describe('How much the server says on stderr'),
  CARRICK_RECONCILE_EVERY_MS: milliseconds.default(1_000).describe('Longest time between two scheduler passes'),
  CARRICK_BODY_LIMIT: bytes.default(100 * 1024 * 1024).describe('Largest request body, in bytes'),
  CARRICK_RESULT_LIMIT: bytes.default(1024 * 1024 * 1024).describe('Largest stored result, in bytes'),
  CARRICK_MESSAGE_LIMIT: bytes.default(256 * 1024 * 1024).describe('Largest gRPC message (a deploy), in bytes'),
  CARRICK_QUEUE_LIMIT: whole.min(1).default(10_000_000).describe("Most requests that wait in one app's queue"),
  CARRICK_WAITING_CALLERS: whole.min(1).default(10_000).describe('Most direct calls that wait for one app'),
  CARRICK_CONNECT_TIMEOUT_MS: milliseconds.default(5_000).describe('Longest wait for a runner to accept a connection'),
  CARRICK_MAX_CONNECTIONS: whole.min(1).default(10_000).describe('Most connections at a time'),
  CARRICK_PARALLEL_BUILDS: whole.min(1).default(2).describe('Most environment builds at a time'),
  CARRICK_BUILD_TIMEOUT_MS: milliseconds.default(30 * 60_000).describe('Longest time of one environment build'),
  CARRICK_LOG_LINES_PER_APP: whole.min(1).default(1_000_000).describe('Most log lines kept per app and day'),
  CARRICK_LOG_RETENTION_DAYS: whole.min(1).default(30).describe('How long log lines are kept'),
  CARRICK_EVENT_RETENTION_DAYS: whole.min(1).default(365).describe('How long it is kept who changed what'),
  CARRICK_SHUTDOWN_MS: milliseconds.default(30_000).describe('Longest drain when the server is stopped'),
})

export type Config = z.infer<typeof settings>

/** Reads and checks all settings at once. Throws one sentence per wrong value. */
export function readConfig(variables: Readonly<Record<string, string | undefined>>): Config {
  const parsed = settings.safeParse(variables)
  if (parsed.success) return { ...parsed.data, CARRICK_DATA: resolve(parsed.data.CARRICK_DATA) }
  throw new Error(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'))
}
