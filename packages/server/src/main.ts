/**
 * Builds everything, starts it in order, stops it in reverse. Nothing else constructs a role, and roles meet only here:
 * this page says who is told of what.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGrpcHandler } from './api/grpc.ts'
import { createRest } from './api/rest.ts'
import { createProcessBackend } from './backends/process/index.ts'
import { createBuilder } from './builder/local-builder.ts'
import type { Config } from './config.ts'
import { startDispatcher } from './dispatcher/dispatcher.ts'
import { baseUrl, type ServerNames } from './domain/addresses.ts'
import { createListener, notYet, type Readiness } from './doors.ts'
import { openFoundation, type Foundation } from './foundation.ts'
import { createFront, type Front } from './front/front.ts'
import { createGrpcDoor } from './front/grpc-door.ts'
import { createHttpDoor } from './front/http-door.ts'
import { createGateway } from './gateway/gateway.ts'
import { createLaunch, type Surroundings } from './scheduler/launch.ts'
import { startScheduler } from './scheduler/scheduler.ts'
import { version } from './version.ts'

/** What runs inside a Python runner first. A published package brings it along beside its own code. */
const bootstrap = fileURLToPath(new URL('../../../runners/python/carrick_runner', import.meta.url))

/** A whole platform in this process. */
export interface Platform {
  /** The first address to give to people: `https://localhost:8700`. */
  readonly url: string
  readonly owner: string
  /** Lets what runs finish, within CARRICK_SHUTDOWN_MS, and stops. */
  stop(): Promise<void>
}

/** Starts every role on a data folder. Resolves when it is ready for calls; throws a sentence when it cannot be. */
export async function startPlatform(config: Config): Promise<Platform> {
  await using starting = new AsyncDisposableStack()
  const foundation = await openFoundation(config, starting)
  let readiness: Readiness = 'starting'
  let roles: Roles | undefined

  const people = openFront(foundation, () => roles)
  starting.defer(() => people.close({ graceMs: 0 }))
  // Runners reach the platform on a port of their own, on loopback, whatever address people reach it at.
  const ingress = openFront(foundation, () => roles)
  starting.defer(() => ingress.close({ graceMs: 0 }))
  const addresses = {
    names: namesOf(foundation, await people.listen({ host: config.CARRICK_HOST, port: config.CARRICK_PORT })),
    ingress: `localhost:${(await ingress.listen({ host: '127.0.0.1', port: 0 })).port}`,
  }
  const started = await startRoles(foundation, addresses, () => readiness, starting)
  await started.dispatcher.recover()
  roles = started
  readiness = 'ready'
  const url = baseUrl({ secure: true, authority: undefined }, addresses.names)
  const { installation, folder } = foundation
  await folder.writeServerFile({
    url,
    host: config.CARRICK_HOST,
    port: addresses.names.port,
    pid: process.pid,
    version,
    ingress: addresses.ingress,
  })

  const running = starting.move()
  return {
    url,
    owner: installation.nickname,
    async stop() {
      readiness = 'draining'
      const graceMs = config.CARRICK_SHUTDOWN_MS
      await Promise.all([started.dispatcher.stop({ graceMs }), people.close({ graceMs })])
      await started.scheduler.stop({ graceMs })
      await running.disposeAsync()
    },
  }
}

/** What runners and answers have to know: the ports are open before the roles start. */
interface Addresses {
  readonly names: ServerNames
  readonly ingress: string
}

type Roles = Awaited<ReturnType<typeof startRoles>>

async function startRoles(
  foundation: Foundation,
  addresses: Addresses,
  readiness: () => Readiness,
  closing: AsyncDisposableStack,
) {
  const { config, log, clock, store, homes, apps, keyring, blobs, logs, caller, folder, installation } = foundation
  const cacheFolder = config.CARRICK_CACHE === '' ? folder.cache : config.CARRICK_CACHE
  const builder = await createBuilder({
    folder: folder.environments,
    cacheFolder,
    log,
    clock,
    parallel: config.CARRICK_PARALLEL_BUILDS,
    timeoutMs: config.CARRICK_BUILD_TIMEOUT_MS,
    variables: { ...process.env, SSL_CERT_FILE: foundation.bundleFile },
  })
  closing.defer(() => builder.close())
  const backend = await createProcessBackend({ folder: folder.runners, installation: installation.id, log })
  closing.defer(() => backend.close())

  const launch = createLaunch({
    environments: builder,
    blobs,
    bootstrap,
    surroundings: () => surroundings(foundation, addresses),
  })
  // From here on no former runner is left, so nothing runs twice by accident.
  const scheduler = await startScheduler({
    store,
    homes,
    apps,
    backend,
    keyring,
    logs,
    launch,
    clock,
    log,
    everyMs: config.CARRICK_RECONCILE_EVERY_MS,
  })
  const onRunnerVerdict = scheduler.verdict.bind(scheduler)
  const dispatcher = startDispatcher({
    store,
    homes,
    apps,
    blobs,
    caller,
    clock,
    log,
    onRunnerVerdict,
    random: Math.random,
    limits: { resultBytes: config.CARRICK_RESULT_LIMIT, connectTimeoutMs: config.CARRICK_CONNECT_TIMEOUT_MS },
  })
  const gateway = createGateway({
    store,
    homes,
    apps,
    keyring,
    caller,
    blobs,
    logs,
    clock,
    log,
    onRunnerVerdict,
    names: () => addresses.names,
    limits: {
      bodyBytes: config.CARRICK_BODY_LIMIT,
      queueLength: config.CARRICK_QUEUE_LIMIT,
      connectTimeoutMs: config.CARRICK_CONNECT_TIMEOUT_MS,
    },
    cancel: (id) => dispatcher.cancel(id),
    accepting: () => readiness() === 'ready',
  })
  const control = {
    clock,
    log,
    store,
    apps,
    homes,
    keyring,
    blobs,
    logs,
    builder,
    runners: scheduler,
    server: { version, backend: backend.name, folder: folder.path },
    baseUrl: (connection: Parameters<typeof baseUrl>[0]) => baseUrl(connection, addresses.names),
    isDraining: () => readiness() === 'draining',
  }
  return {
    gateway,
    listener: createListener(gateway, createRest(control), readiness),
    grpc: createGrpcHandler(control, { messageLimit: config.CARRICK_MESSAGE_LIMIT }),
    dispatcher,
    scheduler,
  }
}

/** A port whose connections are told to come again until the roles are there. */
function openFront({ certificates, config, log }: Foundation, roles: () => Roles | undefined): Front {
  return createFront({
    tls: { key: certificates.keyPem, cert: certificates.certPem },
    doors: {
      http: createHttpDoor(
        (req, res) => (roles()?.listener ?? notYet)(req, res),
        (req, socket, head) => {
          const ready = roles()
          if (ready === undefined) socket.destroy()
          else ready.gateway.upgrade(req, socket, head)
        },
      ),
      grpc: createGrpcDoor((req, res) => (roles()?.grpc ?? notYet)(req, res)),
    },
    log,
    limits: { connections: config.CARRICK_MAX_CONNECTIONS },
  })
}

/** Names given with `--name` come before those that every machine has. */
function namesOf({ names }: Foundation, { port }: { port: number }): ServerNames {
  return { hosts: [...names, 'localhost', '127.0.0.1', '::1'], port }
}

/** How the platform looks to a runner. */
function surroundings({ bundleFile, folder }: Foundation, { names, ingress }: Addresses): Surroundings {
  return {
    grpcHost: `${names.hosts[0]}:${names.port}`,
    restHost: ingress,
    runHost: ingress,
    queueRunHost: `${ingress}/queue`,
    wsRunHost: `${ingress}/ws`,
    bundle: bundleFile,
    region: 'local',
    sharedFolder: join(folder.path, 'data'),
  }
}
