import type { AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Serving } from '../domain/runner.ts'
import type { Homes, ServingRunner } from '../home/home.ts'
import { offered } from './offer.ts'
import type { AppWorld } from './plan.ts'

interface Told {
  readonly multiplexing: number
  /** Runners of another revision are spare. */
  readonly active: RevisionId | undefined
  /** What those take at a time. */
  readonly atOnce: number
  readonly runners: readonly Serving[]
}

/** Tells homes which runners may get requests, and how many each takes at a time. Says nothing twice. */
export class Offers {
  readonly #homes: Homes
  readonly #told = new Map<AppId, Told>()

  constructor(homes: Homes) {
    this.#homes = homes
  }

  /** Of these apps. `isLeaving` picks runners that get nothing any more although they still serve. */
  tell(worlds: ReadonlyMap<AppId, AppWorld>, isLeaving?: (id: RunnerId) => boolean): void {
    for (const [appId, world] of worlds) this.#tellOne(appId, world, isLeaving)
  }

  /** Of all apps: others have no runner any more. */
  tellAll(worlds: ReadonlyMap<AppId, AppWorld>): void {
    this.tell(worlds)
    for (const appId of this.#told.keys()) if (!worlds.has(appId)) this.#withdraw(appId)
  }

  #tellOne(appId: AppId, world: AppWorld, isLeaving: (id: RunnerId) => boolean = () => false): void {
    const before = this.#told.get(appId)
    const told: Told = {
      multiplexing: world.app?.scale.max_multiplexing ?? 1,
      active: world.active?.id,
      atOnce: world.handover?.multiplexing ?? 1,
      runners: offered(world).filter(({ id }) => !isLeaving(id)),
    }
    if (told.runners.length === 0 && before === undefined) return
    if (world.app === undefined && world.runners.length === 0) return this.#withdraw(appId)
    if (before !== undefined && areSame(before, told)) return
    this.#told.set(appId, told)
    this.#homes.of(appId).setMultiplexing(told.multiplexing)
    this.#homes.of(appId).setRunners(told.runners.map((runner) => servingOf(runner, told)))
  }

  #withdraw(appId: AppId): void {
    this.#told.delete(appId)
    this.#homes.of(appId).setRunners([])
  }
}

function areSame(one: Told, other: Told): boolean {
  if (one.multiplexing !== other.multiplexing || one.active !== other.active || one.atOnce !== other.atOnce)
    return false
  return one.runners.length === other.runners.length && one.runners.every(({ id }, at) => id === other.runners[at]?.id)
}

function servingOf(
  { id, revisionId, address, createdAt, readyAt }: Serving,
  { active, atOnce }: Pick<Told, 'active' | 'atOnce'>,
): ServingRunner {
  const serving = { id, revisionId, address, cameUp: { createdAt, readyAt } }
  return revisionId === active ? serving : { ...serving, spare: true, atOnce }
}
