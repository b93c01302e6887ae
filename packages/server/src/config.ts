import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { mostFreezeAfter } from './domain/freezing.ts'

const whole = z.coerce.number().int()
const milliseconds = whole.min(1)
const bytes = whole.min(1)

const switched = z.enum(['true', 'false'])

/**
 * Every setting. A flag `--some-name` of `carrick up` is the variable CARRICK_SOME_NAME and the key some_name of
 * carrick.toml, in this order of precedence. `npm run docs` writes docs/reference/settings.md from it.
 * `list`: several, separated by commas, or an array in the file. `table`: JSON, or tables in the file. `secret`: never shown. `allowed`: words that fit after "give".
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
  CARRICK_BACKEND: z.enum(['process', 'docker']).default('process').describe('Where runners run'),
  CARRICK_BASE_IMAGE: z
    .string()
    .default('python:{version}-slim')
    .describe(
      'With `--backend docker`: the image that requirements are installed on; `{version}` in it is the minor version of Python that an app asks for',
    ),
  CARRICK_CLIENT_PYTHON: z
    .string()
    .regex(/^(?:3\.\d{1,2})?$/)
    .default('')
    .meta({
      allowed: 'a minor version such as 3.12',
      description:
        'The Python that `carrick deploy` and `carrick fal` run on, which apps that they deploy need too (default: the newest of this machine)',
    }),
  CARRICK_OWNER: z
    .string()
    .optional()
    .describe("The first account's nickname, the owner in `owner/app` (default: your login name)"),
  CARRICK_NAME: z
    .string()
    .default('')
    .meta({ list: true, description: 'More host names of this server, separated by commas' }),
  CARRICK_LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('warn')
    .describe('How much the server says on stderr'),
  CARRICK_FREEZE_AFTER: whole
    .min(0)
    .max(mostFreezeAfter)
    .default(0)
    .describe(
      'Seconds of idleness after which runners are frozen, for apps of which `carrick apps freezing` says nothing; 0 is never',
    ),
  CARRICK_RECONCILE_EVERY_MS: milliseconds.default(1_000).describe('Longest time between two scheduler passes'),
  CARRICK_BODY_LIMIT: bytes.default(100 * 1024 * 1024).describe('Largest request body, in bytes'),
  CARRICK_RESULT_LIMIT: bytes.default(1024 * 1024 * 1024).describe('Largest stored result, in bytes'),
  CARRICK_SOCKET_MESSAGE_LIMIT: bytes
    .default(32 * 1024 * 1024)
    .describe(
      'Largest message of a WebSocket whose messages are looked at (realtime, and calls under `/ws`), in bytes',
    ),
  CARRICK_SOCKET_IDLE_MS: milliseconds
    .max(2 ** 31 - 1)
    .default(10 * 60_000)
    .describe('How long a WebSocket may be silent in both directions before it is closed'),
  CARRICK_UPLOAD_LIMIT: bytes.default(16 * 1024 * 1024 * 1024).describe('Largest uploaded file, in bytes'),
  CARRICK_UPLOAD_RETENTION_DAYS: whole
    .min(0)
    .default(0)
    .describe('How long uploaded files are kept whose uploader did not say; 0 is for ever'),
  CARRICK_BLOBS: z
    .string()
    .regex(/^(?:s3:\/\/\S+)?$/)
    .default('')
    .meta({
      allowed: 's3://bucket/prefix',
      description: 'Where large bodies, results and uploads are kept; empty is the data folder',
    }),
  CARRICK_S3_ENDPOINT: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .meta({
      allowed: 'an http or https URL',
      description: 'The URL of the S3-compatible server of CARRICK_BLOBS; empty is AWS',
    }),
  CARRICK_S3_REGION: z.string().default('').describe('Its region (default: AWS_REGION, else us-east-1)'),
  CARRICK_S3_ACCESS_KEY_ID: z
    .string()
    .default('')
    .describe('The access key; empty for the variables, files and roles that the AWS tools use'),
  CARRICK_S3_SECRET_ACCESS_KEY: z
    .string()
    .default('')
    .meta({ secret: true, description: 'The secret of that access key' }),
  CARRICK_S3_PATH_STYLE: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      "Whether the bucket stands in the path and not in the host's name: `auto` is wherever an endpoint is set",
    ),
  CARRICK_S3_TIMEOUT_MS: milliseconds.default(15_000).describe('Longest silence of that server within one call'),
  CARRICK_MESSAGE_LIMIT: bytes.default(256 * 1024 * 1024).describe('Largest gRPC message (a deploy), in bytes'),
  CARRICK_MOUNTS: z
    .enum(['auto', 'never'])
    .default('auto')
    .describe('Whether runners have a `/data` of their own: `auto` is wherever this machine lets them'),
  CARRICK_ISOLATION: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Whether runners have processes, files, host name, shared memory and network of their own: `auto` is what this machine lets them have, `always` refuses to start without all of it',
    ),
  CARRICK_SHARED_FOLDERS: z.string().default('').meta({
    list: true,
    description: 'Folders of the machine that runners see where they are, and may write to, such as one with models',
  }),
  CARRICK_CPU_LIMIT: z
    .enum(['hard', 'soft'])
    .default('hard')
    .describe(
      'Whether a runner that serves may use no more CPU than its machine type has (`hard`), or what nobody else wants as well (`soft`)',
    ),
  CARRICK_EGRESS: z
    .enum(['open', 'public', 'none'])
    .default('open')
    .describe(
      'Where runners in containers may connect to besides the platform: `open` is anywhere but this machine, `public` the public internet alone, `none` nowhere',
    ),
  CARRICK_CONTAINER_NETWORKS: z.string().default('10.212.0.0/14').meta({
    allowed: 'an IPv4 network of /8 to /22',
    description: 'The addresses of the networks of runners in containers, of which each account with runners has a /22',
  }),
  CARRICK_CONTAINER_RUNTIME: z
    .string()
    .default('')
    .describe("The container engine's runtime for runners, such as `runsc`; empty is the engine's own default"),
  CARRICK_CONTAINER_RUNTIMES: z.string().default('').meta({
    list: true,
    description: 'Runtimes that apps may choose instead, by `fal deploy --annotation carrick.runtime=NAME`',
  }),
  CARRICK_SCRATCH_LIMIT: bytes
    .default(32 * 1024 ** 3)
    .describe('Most bytes that a runner in a container may write outside of `/data`'),
  CARRICK_RUNNER_TASKS: whole.min(16).default(8_192).describe('Most processes and threads of one runner'),
  CARRICK_REGION: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default('local')
    .meta({
      allowed: 'a label such as eu-west: small letters, digits and "-"',
      description: 'The region of this machine. `local` is none: it counts as in every region',
    }),
  CARRICK_MACHINE_TYPES: z.string().default('').meta({
    table: true,
    allowed: 'JSON; in the file a table `[machine_types.NAME]` for each',
    description: 'Machine types of your own, and changes of those that are built in (docs/guides/machine-types.md)',
  }),
  CARRICK_CURRENCY: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('USD')
    .meta({
      allowed: 'three capital letters',
      description: 'What the prices of machine types are in (docs/reference/usage.md)',
    }),
  CARRICK_GPUS: z.string().default('auto').meta({
    list: true,
    allowed: 'auto, none, some of the indices of nvidia-smi, or a model for each GPU',
    description: 'The GPUs that runners may have: `auto` is all that `nvidia-smi` knows',
  }),
  CARRICK_CPUS: z.coerce.number().min(0).max(10_000).default(0).describe('Cores for runners; 0 is all that there are'),
  CARRICK_MEMORY: whole.min(0).default(0).describe('Memory for runners, in bytes; 0 is all that there is'),
  CARRICK_CPU_OVERCOMMIT: z.coerce
    .number()
    .min(0.1)
    .max(10_000)
    .default(50)
    .describe('How often a core is given away: most runners idle most of the time'),
  CARRICK_MEMORY_OVERCOMMIT: z.coerce
    .number()
    .min(0.1)
    .max(10_000)
    .default(4)
    .describe('How often a byte of memory is given away: few runners use all that their machine type has'),
  CARRICK_RUNNERS_PER_MACHINE: whole.min(1).default(1_000).describe('Most runners on one machine'),
  CARRICK_RUNNERS_PER_ACCOUNT: whole.min(1).default(1_000).describe('Most runners of one account'),
  CARRICK_GPUS_PER_ACCOUNT: whole.min(0).default(1_000).describe('Most GPUs that the runners of one account hold'),
  CARRICK_UNPLACEABLE: z
    .enum(['refuse', 'wait'])
    .default('refuse')
    .describe(
      'What becomes of an app whose machine types nothing here can ever have: it is refused, or its runners wait',
    ),
  CARRICK_FILE_LIMIT: bytes.default(1024 ** 4).describe('Largest file of `fal files`, in bytes'),
  CARRICK_UNZIP_LIMIT: bytes.default(100 * 1024 ** 3).describe('Most bytes that an uploaded archive may unpack to'),
  CARRICK_KEEP_FREE: whole
    .min(0)
    .default(1024 ** 3)
    .describe('Bytes of the disk that uploads of files leave free'),
  CARRICK_REGISTRY: z
    .string()
    .regex(/^(?:[a-z0-9.-]+(?::\d{1,5})?(?:\/[a-z0-9][a-z0-9._-]*)*|\[[0-9a-f:]+\]:\d{1,5})?$/)
    .default('')
    .meta({
      allowed: 'a host, and what stands before the names of images: `registry.example.com/team`',
      description: 'The registry that images are pushed to and pulled from; empty is the one that this server is',
    }),
  CARRICK_REGISTRY_USERNAME: z.string().default('').describe('By whom the server logs in to CARRICK_REGISTRY'),
  CARRICK_REGISTRY_PASSWORD: z
    .string()
    .default('')
    .meta({ secret: true, description: 'The password or token for that' }),
  CARRICK_IMAGE_BLOB_LIMIT: bytes
    .default(64 * 1024 ** 3)
    .describe('Largest layer of an image that is pushed to the registry, in bytes'),
  CARRICK_IMAGE_GRACE_HOURS: z.coerce
    .number()
    .min(0.01)
    .default(24)
    .describe('How long the registry keeps what no tag, no image and no app names any more'),
  CARRICK_DATA_QUOTA: whole
    .min(0)
    .default(0)
    .describe(
      'Most bytes that an account may keep in `/data`; 0 is no limit. `carrick accounts set` gives one account another',
    ),
  CARRICK_DATA_QUOTA_EVERY_MS: milliseconds
    .default(60_000)
    .describe('How often accounts that have a limit and live runners are measured; seldomer where that takes long'),
  CARRICK_FETCH_ALLOW: z.string().default('').meta({
    list: true,
    description: 'Address ranges that `fal files upload-url` may fetch from although they are not public',
  }),
  CARRICK_FETCH_TIMEOUT_MS: milliseconds.default(9 * 60_000).describe('Longest time of one `fal files upload-url`'),
  CARRICK_WEBHOOK_ALLOW: z.string().default('').meta({
    list: true,
    description: 'Address ranges that webhooks may be sent to although they are not public',
  }),
  CARRICK_WEBHOOK_LIMIT: bytes
    .default(16 * 1024 * 1024)
    .describe('Largest result that a webhook carries, in bytes; of a larger one it says so'),
  CARRICK_QUEUE_LIMIT: whole.min(1).default(10_000_000).describe("Most requests that wait in one app's queue"),
  CARRICK_RETENTION_DAYS: z.coerce
    .number()
    .min(0)
    .max(36_500)
    .default(30)
    .describe('How long requests are kept once they have ended, with all they sent and got; 0 is for ever'),
  CARRICK_WAITING_CALLERS: whole.min(1).default(10_000).describe('Most direct calls that wait for one app'),
  CARRICK_CONNECT_TIMEOUT_MS: milliseconds.default(5_000).describe('Longest wait for a runner to accept a connection'),
  CARRICK_MAX_CONNECTIONS: whole.min(1).default(10_000).describe('Most connections at a time'),
  CARRICK_PARALLEL_BUILDS: whole.min(1).default(2).describe('Most environment builds at a time'),
  CARRICK_BUILD_TIMEOUT_MS: milliseconds.default(30 * 60_000).describe('Longest time of one environment build'),
  CARRICK_LOG_LINES_PER_APP: whole.min(1).default(1_000_000).describe('Most log lines kept per app and day'),
  CARRICK_LOG_RETENTION_DAYS: whole.min(1).default(30).describe('How long log lines are kept'),
  CARRICK_EVENT_RETENTION_DAYS: whole.min(1).default(365).describe('How long it is kept who changed what'),
  CARRICK_DEPLOY_CHECK: switched
    .default('false')
    .describe('Whether clients that have a team set show what a deploy changes, and ask, before they deploy'),
  CARRICK_SHUTDOWN_MS: milliseconds.default(30_000).describe('Longest drain when the server is stopped'),
  CARRICK_TLS_CERT: z
    .string()
    .default('')
    .describe('A certificate of your own, with its chain: a PEM file, read again when it changes'),
  CARRICK_TLS_KEY: z.string().default('').describe('The private key of that certificate: a PEM file'),
  CARRICK_ACME_NAMES: z
    .string()
    .default('')
    .meta({ list: true, description: 'Public host names to get a certificate for by ACME; empty for none' }),
  CARRICK_ACME_DIRECTORY: z
    .url({ protocol: /^https$/ })
    .default('https://acme-v02.api.letsencrypt.org/directory')
    .describe('The directory URL of the ACME server'),
  CARRICK_ACME_EMAIL: z.string().default('').describe('Where the ACME server may write to'),
  CARRICK_ACME_AGREE_TERMS: switched
    .default('false')
    .describe('Whether you agree to the terms of service of the ACME server'),
  CARRICK_ACME_CHALLENGE: z
    .enum(['http-01', 'tls-alpn-01'])
    .default('http-01')
    .describe('How the names are proved: on port 80, or on port 443, which must lead to this server'),
  CARRICK_ACME_HTTP_PORT: whole
    .min(0)
    .max(65_535)
    .default(80)
    .describe('Where http-01 is answered besides the one port; 0 for nowhere else'),
  CARRICK_ACME_EAB_KEY_ID: z.string().default('').describe('The account at an ACME server that asks for one (EAB)'),
  CARRICK_ACME_EAB_HMAC_KEY: z
    .string()
    .default('')
    .meta({ secret: true, description: 'The key of that account, in base64url' }),
  CARRICK_TRUSTED_PROXIES: z
    .string()
    .default('')
    .meta({ list: true, description: 'Addresses and networks (CIDR) whose forwarded headers are believed' }),
})

export type Config = z.infer<typeof settings>

export type SettingName = keyof Config

/** What a setting is called in carrick.toml. */
export const keyOf = (name: string): string => name.replace('CARRICK_', '').toLowerCase()

/** The parts of a setting that holds several. */
export function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
