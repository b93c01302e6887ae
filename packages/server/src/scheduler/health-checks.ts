import { setTimeout as rest } from 'node:timers/promises'
import { answered, beginHealth, isDue, isIll, sent, type Health } from '../domain/health.ts'
import type { AppId, RunnerId } from '../domain/ids.ts'
import type { HealthCheck } from '../domain/revision.ts'
import type { Address, Identity, Serving, Setup } from '../domain/runner.ts'
import type { Clock } from '../kit/clock.ts'
import type { Change } from './fleet.ts'
import type { Freezer } from './freezer.ts'
import type { Probe } from './probe.ts'
import type { Look } from './sightings.ts'
import { Turns } from './turns.ts'

export interface HealthCheckParts {
  readonly clock: Clock
  readonly probe: Pick<Probe, 'whatIsWrong'>
  /** Nobody is asked who is frozen, nor frozen while it is asked. */
  readonly freezer: Pick<Freezer, 'isFrozen' | 'hold'>
  readonly inFlightOf: (appId: AppId, id: RunnerId) => number
  /** A runner in setup has passed its check: it may serve. */
  readonly onWell: (id: RunnerId) => void
  /** One that serves has failed too often: it is to be replaced. */
  readonly onIll: (id: RunnerId) => void
  readonly say: (message: string, runner: Identity) => void
}

/** A runner whose app declares a check. */
interface Watched {
  runner: Setup | Serving
  readonly check: HealthCheck
  /** When it had to be ready. */
  readonly setup: Setup
  /** What was wrong when it was asked last. */
  wrong: string | undefined
  /** It was asked before it served, and is asked until it answers well. */
  knocking: boolean
  /** It answered well before it served. */
  well: boolean
  /** Present once it serves. */
  health?: Health
  asking: boolean
}

const lookEveryMs = 1_000
const firstRestMs = 25
const longestRestMs = 1_000

/**
 * The health checks that apps declare: a runner serves once its check has passed, and is replaced when it fails too
 * often. Costs nothing for runners without one; never asks more than a number of runners at once.
 */
export class HealthChecks {
  readonly #parts: HealthCheckParts
  readonly #watched = new Map<RunnerId, Watched>()
  readonly #setup = new Set<RunnerId>()
  readonly #turns = new Turns({ most: 256, share: 64 })
  #timer: NodeJS.Timeout | undefined

  constructor(parts: HealthCheckParts) {
    this.#parts = parts
  }

  /** Learns from a change that is on disk. */
  learn({ to, start }: Change): void {
    const check = start?.revision.spec.healthCheck
    if (to.state === 'setup' && check) this.#watch(to, check)
    const watched = this.#watched.get(to.id)
    if (watched === undefined || to.state === 'pending' || to.state === 'setup') return
    this.#setup.delete(to.id)
    if (to.state === 'serving') {
      watched.runner = to
      watched.health = beginHealth(watched.check, watched.setup, this.#parts.clock.now())
      return
    }
    if (to.state === 'terminated' && to.reason === 'startup_timeout') this.#tellOfStart(watched)
    this.#watched.delete(to.id)
    if (this.#watched.size === 0) this.close()
  }

  /** What was seen, without the open ports of runners whose check has not passed yet: those begin to be asked. */
  gate(look: Look | undefined): Look | undefined {
    if (look === undefined || this.#setup.size === 0) return look
    const { listed } = look
    const seen = new Map(listed)
    for (const id of this.#setup) {
      const sighting = listed.get(id)
      const watched = this.#watched.get(id)
      if (sighting?.kind !== 'accepting' || watched === undefined || watched.well) continue
      void this.#knock(watched, sighting.address)
      seen.set(id, { kind: 'starting' })
    }
    return { ...look, listed: seen }
  }

  /** Asks those that are due. */
  look(): void {
    const now = this.#parts.clock.now()
    for (const watched of this.#watched.values()) {
      const { check, health, runner, asking } = watched
      if (runner.state !== 'serving' || health === undefined || asking || !isDue(check, health, 0, now)) continue
      if (this.#parts.freezer.isFrozen(runner.id)) continue // it stays due: it is asked once it goes on
      if (isDue(check, health, this.#parts.inFlightOf(runner.appId, runner.id), now)) {
        void this.#ask(watched, runner)
      } else watched.health = sent(health, now) // it is asked when its turn comes again
    }
  }

  /** Asks nobody any more. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#watched.clear()
    this.#setup.clear()
  }

  #watch(runner: Setup, check: HealthCheck): void {
    this.#timer ??= setInterval(() => this.look(), lookEveryMs).unref()
    this.#setup.add(runner.id)
    this.#watched.set(runner.id, {
      runner,
      setup: runner,
      check,
      wrong: undefined,
      knocking: false,
      well: false,
      asking: false,
    })
  }

  /** Asks again and again until it answers well, or is in setup no more. */
  async #knock(watched: Watched, address: Address): Promise<void> {
    if (watched.knocking) return
    watched.knocking = true
    const { runner, check } = watched
    for (let pauseMs = firstRestMs; this.#setup.has(runner.id); pauseMs = Math.min(2 * pauseMs, longestRestMs)) {
      watched.wrong = await this.#turns.take(runner.accountId, () => this.#parts.probe.whatIsWrong(address, check))
      watched.well = watched.wrong === undefined
      if (watched.well) return this.#parts.onWell(runner.id)
      await rest(pauseMs, undefined, { ref: false })
    }
  }

  async #ask(watched: Watched, { id, accountId, address }: Serving): Promise<void> {
    const { check } = watched
    using _held = this.#parts.freezer.hold(id)
    watched.asking = true
    if (watched.health) watched.health = sent(watched.health, this.#parts.clock.now())
    watched.wrong = await this.#turns.take(accountId, () => this.#parts.probe.whatIsWrong(address, check))
    watched.asking = false
    if (watched.health === undefined || this.#watched.get(id) !== watched) return // it goes already
    watched.health = answered(watched.health, watched.wrong === undefined, this.#parts.clock.now())
    if (!isIll(check, watched.health)) return
    this.#say(watched, `failed ${watched.health.failures} times in a row, so this runner is replaced.`)
    this.#parts.onIll(id)
  }

  #tellOfStart(watched: Watched): void {
    if (!watched.knocking) return
    this.#say(watched, 'did not pass before startup_timeout, so this runner was ended.')
  }

  #say({ check: { method, path }, wrong, runner }: Watched, what: string): void {
    const last = wrong === undefined ? '' : ` When it was asked last, it ${wrong}.`
    this.#parts.say(`The health check ${method} ${path} ${what}${last}`, runner)
  }
}
