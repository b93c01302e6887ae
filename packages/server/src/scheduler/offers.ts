import type { AppId, RevisionId, RunnerId } from '../domain/ids.ts'
import type { Serving } from '../domain/runner.ts'
import type { Homes, ServingRunner } from '../home/home.ts'
import { offered } from './offer.ts'
import type { AppWorld } from './plan.ts'

interface Told {
  readonly multiplexing: number
  readonly active: RevisionId | undefined
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
    const runners = offered(world).filter(({ id }) => !isLeaving(id))
    const multiplexing = world.app?.scale.max_multiplexing ?? 1
    if (runners.length === 0 && before === undefined) return
    if (world.app === undefined && world.runners.length === 0) return this.#withdraw(appId)
    const active = world.active?.id
    if (before?.multiplexing === multiplexing && before.active === active && areSame(before.runners, runners)) return
    this.#told.set(appId, { multiplexing, active, runners })
    this.#homes.of(appId).setMultiplexing(multiplexing)
    this.#homes.of(appId).setRunners(runners.map((runner) => servingOf(runner, world)))
  }

  #withdraw(appId: AppId): void {
    this.#told.delete(appId)
    this.#homes.of(appId).setRunners([])
  }
}

const areSame = (one: readonly Serving[], other: readonly Serving[]): boolean =>
  one.length === other.length && one.every(({ id }, index) => id === other[index]?.id)

function servingOf({ id, revisionId, address, createdAt, readyAt }: Serving, world: AppWorld): ServingRunner {
  const isOld = revisionId !== world.active?.id
  return {
    id,
    revisionId,
    address,
    cameUp: { createdAt, readyAt },
    ...(isOld && { spare: true, atOnce: world.handover?.multiplexing ?? 1 }),
  }
}
