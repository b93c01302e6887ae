/**
 * Builds everything, starts it in order, stops it in reverse: `foundation.ts` opens what the roles stand on, the room
 * `roles` makes the roles and says who is told of what, and here they get their ports. Nothing else constructs a role.
 */
import { X509Certificate } from 'node:crypto'
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'
import { listOf, type Config } from './config.ts'
import { baseUrl, type ServerNames } from './domain/addresses.ts'
import { exposure } from './exposure.ts'
import type { Readiness } from './doors.ts'
import { openFoundation, type Foundation } from './foundation.ts'
import { ingressName } from './ingress-name.ts'
import { openIngress } from './runtime/ingress.ts'
import { networksOf } from './kit/networks.ts'
import { openPort } from './port.ts'
import { startRoles, type Roles } from './roles/roles.ts'
import { openPublicTls } from './tls.ts'
import { version } from './version.ts'

/** A whole platform in this process. */
export interface Platform {
  /** The first address to give to people: `https://localhost:8700`. */
  readonly url: string
  readonly owner: string
  /** The container engine that runs its runners, and its version. */
  readonly engine: string | undefined
  /** What to know about who can reach it, in lines; none when nobody else can. */
  readonly warnings: readonly string[]
  /** Lets what runs finish, within CARRICK_SHUTDOWN_MS, lets runners tear down, within their grace, and stops. */
  stop(): Promise<void>
}

/** Starts every role on a data folder. Resolves when it is ready for calls; throws a sentence when it cannot be. */
export async function startPlatform(config: Config): Promise<Platform> {
  await using starting = new AsyncDisposableStack()
  const foundation = await openFoundation(config, starting)
  let readiness: Readiness = 'starting'
  let roles: Roles | undefined

  const tls = await openPublicTls(foundation, starting)
  const people = openPort(
    foundation,
    { ...tls, isTrusted: networksOf(listOf(config.CARRICK_TRUSTED_PROXIES)) },
    () => roles,
  )
  starting.defer(() => people.close({ graceMs: 0 }))
  const ingress = await openIngress(foundation, () => roles, starting)
  const addresses = {
    names: namesOf(foundation, await people.listen({ host: config.CARRICK_HOST, port: config.CARRICK_PORT })),
    ingress,
  }
  const started = await startRoles({ foundation, addresses, readiness: () => readiness, closing: starting })
  await started.dispatcher.recover()
  roles = started
  readiness = 'ready'
  await tls.start()
  const url = baseUrl({ secure: true, authority: undefined }, addresses.names)
  const { installation, folder } = foundation
  await folder.writeServerFile({
    url,
    host: config.CARRICK_HOST,
    port: addresses.names.port,
    pid: process.pid,
    version,
    ingress: ingress.authority,
  })

  const running = starting.move()
  return {
    url,
    owner: installation.nickname,
    engine: started.engine,
    warnings: exposure({
      host: config.CARRICK_HOST,
      port: addresses.names.port,
      names: foundation.names,
      addresses: Object.values(networkInterfaces()).flatMap((all = []) =>
        all.filter(isReachable).map(({ address }) => address),
      ),
      fingerprint: new X509Certificate(foundation.certificates.caPem).fingerprint256,
    }),
    async stop() {
      readiness = 'draining'
      const graceMs = config.CARRICK_SHUTDOWN_MS
      const cutAt = foundation.clock.now() + graceMs
      started.workflows.close()
      // Runners are asked at once, as by every other end, and finish what they hold.
      const runnersGone = started.scheduler.stop({ graceMs })
      // The port stays open meanwhile: probes hear why, and whoever waits for a result gets it.
      await Promise.all([
        started.dispatcher.stop({ graceMs }),
        started.gateway.idle({ graceMs }),
        started.webhooks.stop({ graceMs }),
      ])
      await people.close({ graceMs: Math.max(0, cutAt - foundation.clock.now()) })
      await runnersGone
      await running.disposeAsync()
    },
  }
}

/** Names given with `--name` come before those that every machine has. */
function namesOf({ names, config }: Foundation, { port }: { port: number }): ServerNames {
  const ofRunners = ingressName(config)
  return { hosts: [...names, 'localhost', '127.0.0.1', '::1', ...(ofRunners === undefined ? [] : [ofRunners])], port }
}

const isReachable = ({ internal, scopeid }: NetworkInterfaceInfo) => !internal && !scopeid
