import type { Deps, StorageLimits } from '../api/deps.ts'
import { createFunctions } from '../api/runs/functions.ts'
import type { Config } from '../config.ts'
import { baseUrl, publicUrl } from '../domain/addresses.ts'
import { prunesOf } from '../runtime/prunes.ts'
import { version } from '../version.ts'
import type { RunnerRoles } from './runners.ts'
import type { Starting } from './starting.ts'

interface Others {
  readonly runners: RunnerRoles
  readonly queues: Deps['queues']
  readonly webhooks: Deps['webhooks']
  readonly swept: Deps['swept']
}

/** What control operations work with, and what they are told of the others. */
export function controlOf(starting: Starting, { runners, queues, webhooks, swept }: Others) {
  const { foundation, addresses, readiness } = starting
  const { config } = foundation
  const { runtime, scheduler, jobKeyOf } = runners
  const { backend } = runtime
  return {
    ...foundation,
    usageKeeper: runners.usageKeeper,
    functions: createFunctions({
      ...foundation,
      runners: scheduler,
      jobKeyOf,
      limits: { resultBytes: config.CARRICK_MESSAGE_LIMIT, connectTimeoutMs: config.CARRICK_CONNECT_TIMEOUT_MS },
    }),
    builder: runtime.builder,
    runners: scheduler,
    hardware: runners.hardware,
    budgets: runners.budgets,
    queues,
    queueLimit: config.CARRICK_QUEUE_LIMIT,
    webhooks,
    results: runners.results,
    withoutMounts: backend.withoutMounts,
    ...(backend.requireRuntime && { requireRuntime: backend.requireRuntime }),
    fileLimits: {
      bytes: config.CARRICK_FILE_LIMIT,
      archiveBytes: config.CARRICK_UNZIP_LIMIT,
      archiveEntries: 100_000,
    },
    server: serverFacts(starting, runtime),
    storage: storageLimits(config),
    baseUrl: (connection) => baseUrl(connection, addresses.names),
    publicUrl: (connection) => publicUrl(connection, addresses.names, addresses.ingress.authority),
    isDraining: () => readiness() === 'draining',
    commits: () => foundation.store.stats(),
    swept,
    keepInEngine: runtime.keepInEngine,
    engineImages: runtime.engineImages,
    imageGraceMs: config.CARRICK_IMAGE_GRACE_HOURS * 3_600_000,
    prunes: prunesOf({ foundation, runtime, standIns: runners.standIns }),
  } satisfies Deps
}

function serverFacts(
  { foundation: { config, folder, certificates } }: Starting,
  { backend, engine }: RunnerRoles['runtime'],
): Deps['server'] {
  return {
    version,
    backend: backend.name,
    ...(engine === undefined ? {} : { engine }),
    confinement: backend.confinement,
    withoutFreezing: backend.withoutFreezing,
    freezeAfterSeconds: config.CARRICK_FREEZE_AFTER,
    folder: folder.path,
    currency: config.CARRICK_CURRENCY,
    deployCheck: config.CARRICK_DEPLOY_CHECK === 'true',
    caPem: certificates.caPem,
  }
}

const dayMs = 86_400_000

function storageLimits({
  CARRICK_UPLOAD_LIMIT: uploadBytes,
  CARRICK_UPLOAD_RETENTION_DAYS: days,
}: Config): StorageLimits {
  return { uploadBytes, retentionMs: days === 0 ? Infinity : days * dayMs }
}
