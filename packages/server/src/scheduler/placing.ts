import { costliestFirst, costOf, type Hardware } from '../domain/hardware.ts'
import type { AppId, RunnerId } from '../domain/ids.ts'
import type { Placement, Taken, Unplaced, Wanted } from '../domain/placement.ts'
import { isPlaced, placeAll } from '../domain/placing.ts'
import type { Identity, Pending } from '../domain/runner.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Clock, Moment } from '../kit/clock.ts'
import { Room } from '../domain/room.ts'
import type { Change, Fleet } from './fleet.ts'
import type { Maintenances } from './maintenances.ts'

export interface PlacingParts {
  readonly fleet: Fleet
  readonly clock: Clock
  readonly hardware: Hardware
  readonly maintenances: Pick<Maintenances, 'all'>
  /** Whether nothing is being done to a runner. */
  readonly isFree: (id: RunnerId) => boolean
}

/** A runner that could begin now, and what it may have. */
export interface Due {
  readonly runner: Pending
  readonly scale: ScaleSettings
}

/** A place is looked for again then at the latest (platform-behaviour.md §1.4); a runner that ends makes it sooner. */
const retryMs = 20_000
/** And when something is just being ended. */
const soonMs = 50

/** Gives runners their places, and knows why some have none. A place is free again when all of its runner is gone. */
export class Placing {
  readonly #parts: PlacingParts
  /** Places of runners that have ended, until nothing is done to them any more. */
  readonly #leaving = new Map<RunnerId, Taken>()
  readonly #unplaced = new Map<RunnerId, { readonly appId: AppId; readonly why: Unplaced }>()
  #room: Room | undefined
  #isFreed = false
  #triedAt: Moment = 0

  constructor(parts: PlacingParts) {
    this.#parts = parts
  }

  /** Places for those that are due, in the order in which they were wanted. Those that are left out wait. */
  give(due: readonly Due[], now: Moment): ReadonlyMap<RunnerId, Placement> {
    if (due.length === 0) return new Map()
    const inOrder = due.toSorted(({ runner: one }, { runner: other }) => one.createdAt - other.createdAt)
    const room = this.#countedRoom()
    const found = placeAll(inOrder.map(wantedOf), room, this.#parts.hardware, this.#parts.maintenances.all)
    this.#triedAt = now
    const places = new Map<RunnerId, Placement>()
    for (const { runner } of inOrder) {
      const one = found.get(runner.id)
      if (isPlaced(one)) places.set(runner.id, one)
      else if (one !== undefined) this.#unplaced.set(runner.id, { appId: runner.appId, why: one })
      if (isPlaced(one)) room.giveBack({ accountId: runner.accountId, placement: one }) // until it is on disk
    }
    return places
  }

  /** Why a pending runner that could begin has no place. */
  readonly whyUnplaced = (id: RunnerId): Unplaced | undefined => this.#unplaced.get(id)?.why

  /** Orders runners by what their places cost, the costliest first. */
  readonly costliestFirst = (one: Identity, other: Identity): number => {
    if (one.placement === undefined || other.placement === undefined) return 0
    const { hardware } = this.#parts
    return costliestFirst(costOf(one.placement, hardware), costOf(other.placement, hardware))
  }

  /** The apps whose runners wait for a place, when some may have become free: all of them, so that nobody is overtaken. */
  appsToLookAt(now: Moment): ReadonlySet<AppId> {
    this.#sweep()
    const isTime = this.#isFreed || now >= this.#triedAt + retryMs
    if (!isTime || this.#unplaced.size === 0) return new Set()
    this.#isFreed = false
    return new Set(Array.from(this.#unplaced.values(), ({ appId }) => appId))
  }

  /** When to look again although nothing else happens. */
  get lookAgainAt(): Moment | undefined {
    if (this.#unplaced.size === 0) return undefined
    return this.#isFreed || this.#leaving.size > 0 ? this.#parts.clock.now() + soonMs : this.#triedAt + retryMs
  }

  /** Learns from a change that is on disk: what has ended may still be there for a moment. */
  learn({ from, to }: Change): void {
    if (to.state !== 'pending') this.#unplaced.delete(to.id)
    if (to.placement === undefined) return
    const taken = { accountId: to.accountId, placement: to.placement }
    if (from?.placement === undefined) this.#room?.take(taken)
    if (to.state === 'terminated') this.#leaving.set(to.id, taken)
  }

  /** What was not to be had may be to be had now. */
  lookAgain(): void {
    this.#isFreed = true
  }

  /** The runners were read again: what is taken is what they say. */
  countAgain(): void {
    this.#room = undefined
  }

  #sweep(): void {
    const { fleet, isFree } = this.#parts
    for (const id of this.#unplaced.keys()) if (fleet.get(id)?.state !== 'pending') this.#unplaced.delete(id)
    for (const [id, taken] of this.#leaving) {
      if (!isFree(id)) continue
      this.#leaving.delete(id)
      this.#room?.giveBack(taken)
      this.#isFreed = true
    }
  }

  #countedRoom(): Room {
    if (this.#room !== undefined) return this.#room
    const room = new Room(this.#parts.hardware)
    for (const { accountId, placement } of this.#parts.fleet.all()) if (placement) room.take({ accountId, placement })
    for (const taken of this.#leaving.values()) room.take(taken)
    return (this.#room = room)
  }
}

const wantedOf = ({ runner, scale }: Due): Wanted => ({
  id: runner.id,
  accountId: runner.accountId,
  machineTypes: scale.machine_types,
  numGpus: scale.num_gpus,
  regions: scale.valid_regions,
})
