import type { AppId } from '../domain/ids.ts'
import type { Terminated } from '../domain/runner.ts'
import type { LogLine } from '../logs/log-store.ts'

interface Followed {
  readonly say: (line: LogLine) => void
  readonly ended: PromiseWithResolvers<Terminated>
  over: boolean
}

/** Whoever uses the runners of a function host. */
export interface HostFollower {
  /** A line of one of them as it is to be kept, or nothing where it is not meant for people. */
  readonly heard: (line: LogLine) => LogLine | undefined
  readonly ended: (runner: Terminated) => void
}

/** Ends that are the scheduler's own doing: the run goes on with the runners that stay. */
const planned: ReadonlySet<Terminated['reason']> = new Set(['scale_down', 'keep_alive'])

/**
 * The apps that last as long as somebody's connection. Each ends with the first of its runners that ends: nothing is
 * called twice. And the apps behind functions, whose runners others use.
 */
export class Runs {
  readonly #followed = new Map<AppId, Followed>()
  readonly #hosts = new Map<AppId, HostFollower>()

  /** Passes on what its runners say, and resolves with the one that ended it. */
  follow(appId: AppId, say: (line: LogLine) => void): Promise<Terminated> {
    const ended = Promise.withResolvers<Terminated>()
    this.#followed.set(appId, { say, ended, over: false })
    return ended.promise
  }

  followHost(appId: AppId, follower: HostFollower): () => void {
    this.#hosts.set(appId, follower)
    return () => void this.#hosts.delete(appId)
  }

  /** The line as it is to be kept, if it is. */
  heard(line: LogLine): LogLine | undefined {
    const host = line.appId === undefined ? undefined : this.#hosts.get(line.appId)
    return host === undefined ? line : host.heard(line)
  }

  said(line: LogLine): void {
    if (line.appId !== undefined) this.#followed.get(line.appId)?.say(line)
  }

  /** A runner has ended. */
  ended(runner: Terminated): void {
    this.#hosts.get(runner.appId)?.ended(runner)
    const run = this.#followed.get(runner.appId)
    if (run === undefined || planned.has(runner.reason)) return
    run.over = true
    run.ended.resolve(runner)
  }

  /** Its caller is gone. */
  end(appId: AppId): void {
    const run = this.#followed.get(appId)
    if (run !== undefined) run.over = true
  }

  isOver(appId: AppId): boolean {
    return this.#followed.get(appId)?.over ?? false
  }

  /** Forgets runs that are over and whose app is gone. */
  tidy(exists: (appId: AppId) => boolean): void {
    for (const [appId, { over }] of this.#followed) if (over && !exists(appId)) this.#followed.delete(appId)
  }
}
