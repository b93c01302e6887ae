import { createHmac, randomBytes } from 'node:crypto'
import type { StorageLimits } from './api/deps.ts'
import { dropExpired } from './api/storage/expiry.ts'
import { createFunctions } from './api/runs/functions.ts'
import { createGrpcHandler } from './api/grpc/grpc.ts'
import { startEventSweep } from './api/account/event-sweep.ts'
import { startFileSweep } from './api/retention/file-sweep.ts'
import { startQuotaWatch } from './api/files/quota-watch.ts'
import { startRetention } from './api/retention/sweep.ts'
import { startBudgetWatch } from './api/usage/budget-watch.ts'
import { startUsageKeeper } from './api/usage/keeper.ts'
import { recordPrices } from './api/usage/prices.ts'
import { createRest } from './api/rest/rest.ts'
import { openRunResults } from './blobs/run-results.ts'
import { builtOnDemand } from './runtime/built-on-demand.ts'
import { listOf, type Config } from './config.ts'
import { startDispatcher } from './dispatcher/dispatcher.ts'
import { baseUrl, publicUrl, type Connection } from './domain/addresses.ts'
import { createListener, type Readiness } from './doors.ts'
import type { RunnerId } from './domain/ids.ts'
import { publicOr } from './domain/public-address.ts'
import type { Foundation } from './foundation.ts'
import { Budgets } from './home/budgets.ts'
import { createGateway } from './gateway/gateway.ts'
import { openHardware } from './hardware.ts'
import { openImages } from './runtime/images.ts'
import { startLoop } from './kit/loop.ts'
import { prunesOf } from './runtime/prunes.ts'
import { bootstrap } from './runtime/runner-programs.ts'
import { openRuntime } from './runtime/open-runtime.ts'
import type { Addresses } from './runtime/runtime.ts'
import { createLaunch, type Surroundings } from './scheduler/launch.ts'
import { startScheduler } from './scheduler/platform-scheduler.ts'
import { version } from './version.ts'
import { startWebhooks } from './webhooks/webhooks.ts'
import { createWorkflows } from './workflows/workflows.ts'

export type Roles = Awaited<ReturnType<typeof startRoles>>

/** The jobs of the platform, each given what it works with, and told of what the others see. */
export async function startRoles(
  foundation: Foundation,
  addresses: Addresses,
  readiness: () => Readiness,
  closing: AsyncDisposableStack,
) {
  const { config, log, folder, certificates } = foundation
  const connectTimeoutMs = config.CARRICK_CONNECT_TIMEOUT_MS
  const finding = openHardware(config, log) // a driver may take seconds to answer: the rest does not wait for it
  const images = openImages(foundation, addresses.names, () => readiness() !== 'draining', closing)
  const runtime = await openRuntime(foundation, { ...addresses, registry: images.registry }, closing)
  const { backend, builder, engine } = runtime

  const usageKeeper = startUsageKeeper({ ...foundation, meter: foundation.homes.usage })
  closing.defer(() => usageKeeper.stop())

  const results = await openRunResults({ folder: folder.results, limit: config.CARRICK_MESSAGE_LIMIT })
  // Every runner of a former process is gone, so the words may be others at each start.
  const jobSecret = randomBytes(32)
  const jobKeyOf = (id: RunnerId) => createHmac('sha256', jobSecret).update(id).digest('hex')
  const onDemand = builtOnDemand(foundation, builder)
  const launch = createLaunch({
    ...foundation,
    environments: onDemand.environments,
    withoutMounts: backend.withoutMounts,
    results,
    bootstrap,
    jobKeyOf,
    surroundings: () => surroundings(foundation, addresses),
  })
  const hardware = await finding
  const budgets = new Budgets()
  await recordPrices(foundation, [...hardware.types.values()])
  // From here on no former runner is left, so nothing runs twice by accident.
  const everyMs = config.CARRICK_RECONCILE_EVERY_MS
  const freezeAfterSeconds = config.CARRICK_FREEZE_AFTER
  const scheduler = await startScheduler({
    ...foundation,
    backend,
    launch,
    hardware,
    budgets,
    everyMs,
    freezeAfterSeconds,
  })
  const quotaWatch = startQuotaWatch({ ...foundation, runners: scheduler, withoutMounts: backend.withoutMounts })
  closing.defer(() => quotaWatch.stop())
  const budgetWatch = startBudgetWatch({ ...foundation, budgets, usageKeeper, currency: config.CARRICK_CURRENCY })
  closing.defer(() => budgetWatch.stop())
  const onRunnerVerdict = scheduler.verdict.bind(scheduler)
  const whatExceeded = scheduler.whatExceeded.bind(scheduler)
  const accepting = () => readiness() === 'ready'
  const workflows = createWorkflows({
    ...foundation,
    accepting,
    cancel: (id) => dispatcher.cancel(id),
  })
  const { caller } = workflows
  const dispatcher = startDispatcher({
    ...foundation,
    caller,
    onRunnerVerdict,
    whatExceeded,
    random: Math.random,
    limits: { resultBytes: config.CARRICK_RESULT_LIMIT, connectTimeoutMs },
  })
  const mayCallBack = publicOr(listOf(config.CARRICK_WEBHOOK_ALLOW))
  const gateway = createGateway({
    ...foundation,
    mayCallBack,
    caller,
    onRunnerVerdict,
    whatExceeded,
    startFailureOf: scheduler.startFailureOf.bind(scheduler),
    unplacedOf: scheduler.unplacedOf.bind(scheduler),
    isOverBudget: scheduler.isOverBudget.bind(scheduler),
    names: () => addresses.names,
    limits: {
      bodyBytes: config.CARRICK_BODY_LIMIT,
      queueLength: config.CARRICK_QUEUE_LIMIT,
      connectTimeoutMs,
      socketMessageBytes: config.CARRICK_SOCKET_MESSAGE_LIMIT,
      socketIdleMs: config.CARRICK_SOCKET_IDLE_MS,
    },
    cancel: (id) => dispatcher.cancel(id),
    accepting,
  })
  const webhooks = startWebhooks({
    ...foundation,
    wallClock: { now: Date.now },
    random: Math.random,
    way: { mayReach: mayCallBack },
    mostBytes: config.CARRICK_WEBHOOK_LIMIT,
  })
  closing.defer(() => webhooks.stop({ graceMs: 0 }))
  const eventSweep = startEventSweep({ ...foundation, retentionDays: config.CARRICK_EVENT_RETENTION_DAYS })
  closing.defer(() => eventSweep.stop())
  const retention = startRetention({
    ...foundation,
    retentionDays: config.CARRICK_RETENTION_DAYS,
    count: () => usageKeeper.count(),
  })
  closing.defer(() => retention.stop())
  const fileSweep = startFileSweep({ ...foundation, environments: builder })
  closing.defer(() => fileSweep.stop())
  const control = {
    ...foundation,
    usageKeeper,
    functions: createFunctions({
      ...foundation,
      runners: scheduler,
      jobKeyOf,
      limits: { resultBytes: config.CARRICK_MESSAGE_LIMIT, connectTimeoutMs },
    }),
    builder,
    runners: scheduler,
    hardware,
    budgets,
    queues: dispatcher,
    queueLimit: config.CARRICK_QUEUE_LIMIT,
    webhooks,
    results,
    withoutMounts: backend.withoutMounts,
    ...(backend.requireRuntime && { requireRuntime: backend.requireRuntime }),
    fileLimits: {
      bytes: config.CARRICK_FILE_LIMIT,
      archiveBytes: config.CARRICK_UNZIP_LIMIT,
      archiveEntries: 100_000,
    },
    server: {
      version,
      backend: backend.name,
      ...(engine === undefined ? {} : { engine }),
      confinement: backend.confinement,
      withoutFreezing: backend.withoutFreezing,
      freezeAfterSeconds,
      folder: folder.path,
      currency: config.CARRICK_CURRENCY,
      deployCheck: config.CARRICK_DEPLOY_CHECK === 'true',
      caPem: certificates.caPem,
    },
    storage: storageLimits(config),
    baseUrl: (connection: Connection) => baseUrl(connection, addresses.names),
    publicUrl: (connection: Connection) => publicUrl(connection, addresses.names, addresses.ingress.authority),
    isDraining: () => readiness() === 'draining',
    commits: () => foundation.store.stats(),
    swept: () => ({ ...retention.swept(), ...fileSweep.swept() }),
    keepInEngine: runtime.keepInEngine,
    engineImages: runtime.engineImages,
    imageGraceMs: config.CARRICK_IMAGE_GRACE_HOURS * 3_600_000,
    prunes: prunesOf({ foundation, runtime, standIns: onDemand.standIns }),
  }
  await workflows.open()
  const expiry = startLoop((signal) => dropExpired(control, signal), { name: 'expiry', everyMs: expiryEveryMs, log })
  closing.defer(() => expiry.stop())
  const rest = createRest(control)
  return {
    gateway,
    listeners: {
      people: createListener(gateway, rest, readiness, images.handle),
      runners: createListener(gateway, rest, readiness),
    },
    grpc: createGrpcHandler(control, { messageLimit: config.CARRICK_MESSAGE_LIMIT }),
    dispatcher,
    scheduler,
    workflows,
    webhooks,
    engine,
  }
}

/** Nothing waits for it but the disk. */
const expiryEveryMs = 10_000
const dayMs = 86_400_000

function storageLimits({
  CARRICK_UPLOAD_LIMIT: uploadBytes,
  CARRICK_UPLOAD_RETENTION_DAYS: days,
}: Config): StorageLimits {
  return { uploadBytes, retentionMs: days === 0 ? Infinity : days * dayMs }
}

/** How the platform looks to a runner. */
function surroundings(
  { bundleFile, config }: Foundation,
  { names, ingress: { authority: ingress } }: Addresses,
): Surroundings {
  return {
    grpcHost: `${names.hosts[0]}:${names.port}`,
    restHost: ingress,
    runHost: ingress,
    queueRunHost: `${ingress}/queue`,
    wsRunHost: `${ingress}/ws`,
    cdnUrl: `https://${ingress}`,
    kvUrl: `https://${ingress}/kv`,
    bundle: bundleFile,
    region: config.CARRICK_REGION,
  }
}
