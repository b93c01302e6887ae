import type { Hardware } from '../domain/hardware.ts'
import type { RunnerId } from '../domain/ids.ts'
import type { Placement, Taken, Unplaced, Wanted } from '../domain/placement.ts'
import { isPlaced, placeAll } from '../domain/placing.ts'
import type { Pending } from '../domain/runner.ts'
import type { ScaleSettings } from '../domain/scale.ts'
import type { Moment } from '../kit/clock.ts'
import type { Change, Fleet } from './fleet.ts'

export interface PlacingParts {
  readonly fleet: Fleet
  readonly hardware: Hardware
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
  readonly #leaving = new Map<RunnerId, Taken>()
  #unplaced: ReadonlyMap<RunnerId, Unplaced> = new Map()

  constructor(parts: PlacingParts) {
    this.#parts = parts
  }

  /** Places for those that are due, in the order in which they were wanted. Those that are left out wait. */
  give(due: readonly Due[]): ReadonlyMap<RunnerId, Placement> {
    if (due.length === 0) {
      this.#unplaced = new Map()
      return new Map()
    }
    const inOrder = due.toSorted(({ runner: one }, { runner: other }) => one.createdAt - other.createdAt)
    const found = [...placeAll(inOrder.map(wantedOf), this.#taken(), this.#parts.hardware)]
    this.#unplaced = new Map(found.flatMap(([id, one]) => (isPlaced(one) ? [] : [[id, one] as const])))
    return new Map(found.flatMap(([id, one]) => (isPlaced(one) ? [[id, one] as const] : [])))
  }

  /** Why a pending runner that could begin has no place. */
  whyUnplaced(id: RunnerId): Unplaced | undefined {
    return this.#unplaced.get(id)
  }

  /** When to look again although nothing else happens. */
  lookAgainAt(now: Moment): readonly Moment[] {
    if (this.#unplaced.size === 0) return []
    return [now + (this.#leaving.size > 0 ? soonMs : retryMs)]
  }

  /** Learns from a change that is on disk: what has ended may still be there for a moment. */
  learn({ from, to }: Change): void {
    if (to.state !== 'terminated' || from === undefined || from.placement === undefined) return
    this.#leaving.set(to.id, { accountId: to.accountId, placement: from.placement })
  }

  #taken(): readonly Taken[] {
    const { fleet, isFree } = this.#parts
    for (const id of this.#leaving.keys()) if (isFree(id)) this.#leaving.delete(id)
    const held = fleet.all().flatMap(({ accountId, placement }) => (placement ? [{ accountId, placement }] : []))
    return [...held, ...this.#leaving.values()]
  }
}

const wantedOf = ({ runner, scale }: Due): Wanted => ({
  id: runner.id,
  accountId: runner.accountId,
  machineTypes: scale.machine_types,
  numGpus: scale.num_gpus,
  regions: scale.valid_regions,
})
