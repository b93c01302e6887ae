import type { AppId, RunnerId } from '../domain/ids.ts'
import type { Homes } from '../home/home.ts'
import { offered } from './offer.ts'
import type { AppWorld } from './plan.ts'

/** Tells homes which runners may get requests, and how many each takes at a time. Says nothing twice. */
export class Offers {
  readonly #homes: Homes
  readonly #told = new Map<AppId, string>()

  constructor(homes: Homes) {
    this.#homes = homes
  }

  /** `isLeaving` picks those that get nothing any more although they still serve. */
  tell(worlds: ReadonlyMap<AppId, AppWorld>, isLeaving: (id: RunnerId) => boolean = () => false): void {
    for (const [appId, world] of worlds) this.#tellOne(appId, world, isLeaving)
    for (const appId of this.#told.keys()) if (!worlds.has(appId)) this.#withdraw(appId)
  }

  #tellOne(appId: AppId, world: AppWorld, isLeaving: (id: RunnerId) => boolean): void {
    const runners = offered(world)
      .filter(({ id }) => !isLeaving(id))
      .map(({ id, revisionId, address, createdAt, readyAt }) => ({
        id,
        revisionId,
        address,
        cameUp: { createdAt, readyAt },
        ...(revisionId === world.active?.id ? {} : { spare: true, atOnce: world.handover?.multiplexing ?? 1 }),
      }))
    const multiplexing = world.app?.scale.max_multiplexing ?? 1
    const saying = [multiplexing, ...runners.map(({ id, spare }) => (spare ? `${id}~` : id))].join(' ')
    if (runners.length === 0 && !this.#told.has(appId)) return
    if (this.#told.get(appId) === saying) return
    this.#told.set(appId, saying)
    this.#homes.of(appId).setMultiplexing(multiplexing)
    this.#homes.of(appId).setRunners(runners)
  }

  #withdraw(appId: AppId): void {
    this.#told.delete(appId)
    this.#homes.of(appId).setRunners([])
  }
}
