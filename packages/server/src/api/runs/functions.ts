import { createHash, randomBytes } from 'node:crypto'
import type { App } from '../../domain/app.ts'
import type { AppId } from '../../domain/ids.ts'
import { runAlias } from '../../domain/names.ts'
import type { Terminated } from '../../domain/runner.ts'
import type { Apps } from '../../home/apps.ts'
import type { Clock } from '../../kit/clock.ts'
import { uuidv7 } from '../../kit/ids.ts'
import type { Logger } from '../../kit/logger.ts'
import type { LogLine } from '../../logs/log-store.ts'
import { deleteApp } from '../../store/apps.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import type { Store } from '../../store/store.ts'
import { unknownEnvironment } from '../deploys/environments.ts'
import type { Functions, HostFacts } from './function-call.ts'
import { FunctionHost, type HostParts, type HostRunners } from './function-host.ts'

interface HostFollower {
  readonly heard: (line: LogLine) => LogLine | undefined
  readonly ended: (runner: Terminated) => void
}

interface FunctionsParts extends HostParts {
  readonly store: Store
  readonly apps: Apps
  readonly clock: Clock
  readonly log: Logger
  readonly runners: HostRunners & {
    /** Follows the runners of a host, until what it returns is called. */
    followHost(appId: AppId, follower: HostFollower): () => void
    hasRunners(appId: AppId): boolean
  }
}

interface Host {
  readonly key: string
  readonly app: Pick<App, 'id' | 'accountId' | 'name' | 'environment'>
  readonly runners: FunctionHost
  readonly unfollow: () => void
  /** Resolves when the app is on disk and known. */
  readonly ready: Promise<void>
  isReady: boolean
  calls: number
}

/**
 * The hosts that are in use, each a hidden app of its own: it comes with the first call that needs it, and goes with
 * the last of its runners. A start of the server deletes those of a former process.
 */
export function createFunctions(parts: FunctionsParts): Functions {
  const hosts = new Map<string, Host>()

  function open(facts: HostFacts): Host {
    const key = keyOf(facts)
    const known = hosts.get(key)
    // Somebody may have deleted it, or the environment that it was in.
    if (known !== undefined && (!known.isReady || parts.apps.byId(known.app.id) !== undefined)) return known
    if (known !== undefined) close(known)
    const made = make(key, facts)
    hosts.set(key, made)
    return made
  }

  function make(key: string, { accountId, name, environment, spec }: HostFacts): Host {
    const { clock, runners } = parts
    const app = { id: uuidv7(clock), accountId, environment, name: runAlias(name, randomBytes(6).toString('hex')) }
    const host = new FunctionHost(app.id, spec.scale, parts)
    const unfollow = runners.followHost(app.id, {
      heard: (line) => host.heard(line),
      ended: (runner) => (host.ended(runner), closeIfLeft(made)),
    })
    const made: Host = { key, app, runners: host, unfollow, calls: 0, isReady: false, ready: register() }
    return made

    async function register(): Promise<void> {
      const next = { revisionId: uuidv7(clock), strategy: 'recreate', scale: spec.scale, basedOn: spec.scale } as const
      const registered = registerRevision(app, spec, { ...next, authMode: 'private', now: clock.now() })
      if (!(await parts.store.commit(registered))) throw unknownEnvironment(environment)
      await parts.apps.refresh()
      made.isReady = true
    }
  }

  function closeIfLeft(host: Host): void {
    if (host.calls === 0 && !parts.runners.hasRunners(host.app.id)) close(host)
  }

  function close({ key, app, unfollow }: Host): void {
    if (hosts.get(key)?.app === app) hosts.delete(key)
    unfollow()
    void remove(app.id)
  }

  async function remove(id: string): Promise<void> {
    const { store, apps, clock, log } = parts
    try {
      await store.commit(deleteApp(id, clock.now()))
      await apps.refresh()
    } catch (error) {
      log.error({ err: error, app: id }, 'the host of a function could not be deleted; the next start will do it')
    }
  }

  return {
    async call(facts, asked) {
      const used = open(facts)
      used.calls += 1
      try {
        await used.ready
        return await used.runners.call(asked)
      } finally {
        used.calls -= 1
        closeIfLeft(used)
      }
    },
  }
}

/** Kept in memory only: secrets are in it. */
function keyOf({ accountId, name, environment, spec, place, secrets }: HostFacts): string {
  const facts = JSON.stringify([accountId, name, environment, spec, place, secrets])
  return createHash('sha256').update(facts).digest('hex')
}
