/**
 * Builds everything, starts it in order, stops it in reverse. Nothing else constructs a role, and roles meet only here:
 * this page says who is told of what.
 */
import { createGrpcHandler } from './api/grpc.ts'
import { createRest } from './api/rest.ts'
import { createProcessBackend } from './backends/process/index.ts'
import { createBuilder } from './builder/venv-builder.ts'
import type { Config } from './config.ts'
import { startDispatcher } from './dispatcher/dispatcher.ts'
import { baseUrl, type ServerNames } from './domain/addresses.ts'
import { createListener, type Readiness } from './doors.ts'
import { openFoundation, type Foundation } from './foundation.ts'
import { createFront, type Front } from './front/front.ts'
import { createGrpcDoor } from './front/grpc-door.ts'
import { createHttpDoor } from './front/http-door.ts'
import { createGateway } from './gateway/gateway.ts'
import { startScheduler } from './scheduler/scheduler.ts'
import { version } from './version.ts'

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
  const addresses: Addresses = { names: { hosts: [], port: 0 }, ingress: '' }
  const roles = await startRoles(foundation, addresses, () => readiness, starting)

  const { gateway, listener, grpc } = roles
  const doors = {
    http: createHttpDoor(listener, (req, socket, head) => gateway.upgrade(req, socket, head)),
    grpc: createGrpcDoor(grpc),
  }
  const main = openFront(foundation, doors)
  // Runners reach the platform on a port of their own, on loopback, whatever address people reach it at.
  const ingress = openFront(foundation, doors)
  const { port: ingressPort } = await ingress.listen({ host: '127.0.0.1', port: 0 })
  addresses.ingress = `localhost:${ingressPort}`
  const { port } = await main.listen({ host: config.CARRICK_HOST, port: config.CARRICK_PORT })
  addresses.names = namesOf(foundation, port)

  await roles.recover()
  readiness = 'ready'
  const url = baseUrl({ secure: true, authority: undefined }, addresses.names)
  const { installation, folder } = foundation
  await folder.writeServerFile({ url, host: config.CARRICK_HOST, port, pid: process.pid, version, ingress: addresses.ingress })

  const running = starting.move()
  return {
    url,
    owner: installation.nickname,
    async stop() {
      readiness = 'draining'
      const graceMs = config.CARRICK_SHUTDOWN_MS
      await Promise.all([roles.stop(graceMs), main.close({ graceMs })])
      await ingress.close({ graceMs: 0 })
      await running.disposeAsync()
    },
  }
}

/** What is known only once the ports are open. */
interface Addresses {
  names: ServerNames
  ingress: string
}

async function startRoles(foundation: Foundation, addresses: Addresses, readiness: () => Readiness, closing: AsyncDisposableStack) {
  const { config, log, clock, store, homes, apps, keyring, blobs, logs, caller, folder, installation } = foundation
  const cacheFolder = config.CARRICK_CACHE === '' ? folder.cache : config.CARRICK_CACHE
  const builder = await createBuilder({
    folder: folder.environments,
    toolsFolder: folder.tools,
    cacheFolder,
    log,
    clock,
    parallel: config.CARRICK_PARALLEL_BUILDS,
    timeoutMs: config.CARRICK_BUILD_TIMEOUT_MS,
  })
  const backend = await createProcessBackend({ folder: folder.runners, installation: installation.id, log })
  closing.defer(() => backend.close())

  const scheduler = await startScheduler({
    store, homes, apps, backend, builder, keyring, blobs, logs, clock, log,
    everyMs: config.CARRICK_RECONCILE_EVERY_MS,
    place: () => ({ ingress: addresses.ingress, publicHost: publicHost(addresses), bundleFile: foundation.bundleFile }),
  })
  const onRunnerVerdict = scheduler.verdict
  const dispatcher = startDispatcher({
    store, homes, apps, blobs, caller, clock, log, onRunnerVerdict,
    random: Math.random,
    limits: { resultBytes: config.CARRICK_RESULT_LIMIT, connectTimeoutMs: config.CARRICK_CONNECT_TIMEOUT_MS },
  })
  const gateway = createGateway({
    store, homes, apps, keyring, caller, blobs, logs, clock, log, onRunnerVerdict,
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
    clock, log, store, apps, homes, keyring, blobs, logs, builder,
    runners: scheduler,
    server: { version, backend: backend.name, folder: folder.path },
    baseUrl: (connection: Parameters<typeof baseUrl>[0]) => baseUrl(connection, addresses.names),
    isDraining: () => readiness() === 'draining',
  }
  return {
    gateway,
    listener: createListener(gateway, createRest(control), readiness),
    grpc: createGrpcHandler(control, { messageLimit: config.CARRICK_MESSAGE_LIMIT }),
    /** Every former runner is gone before anything is dispatched. */
    async recover() {
      await scheduler.recover()
      await dispatcher.recover()
    },
    async stop(graceMs: number) {
      await dispatcher.stop({ graceMs })
      await scheduler.stop({ graceMs })
    },
  }
}

function openFront({ certificates, config, log }: Foundation, doors: Parameters<typeof createFront>[0]['doors']): Front {
  const tls = { key: certificates.keyPem, cert: certificates.certPem }
  return createFront({ tls, doors, log, limits: { connections: config.CARRICK_MAX_CONNECTIONS } })
}

/** Names given with `--name` come before those that every machine has. */
function namesOf({ names }: Foundation, port: number): ServerNames {
  return { hosts: [...names, 'localhost', '127.0.0.1', '::1'], port }
}

const publicHost = ({ names }: Addresses): string => `${names.hosts[0] ?? 'localhost'}:${names.port}`
