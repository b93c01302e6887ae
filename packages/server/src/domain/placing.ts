import { couldHold, machinesIn, sizesOf, type Hardware, type Size } from './hardware.ts'
import type { RunnerId } from './ids.ts'
import type { Placement, Unplaced, Wanted } from './placement.ts'
import type { Room } from './room.ts'

/**
 * Gives each runner that wants one a place, or the reason why it has none. Runners come in the order in which they are
 * wanted, and each may use what those before it left; one that fits is not held back by an earlier one that does not, so an
 * app that waits for eight GPUs stops nobody. Its machine types are tried in their order, the next one only when the one
 * before has no room (platform-behaviour.md §7). The places are taken in `room`. Machines that are
 * `closed` get none.
 */
export function placeAll(
  wanted: readonly Wanted[],
  room: Room,
  hardware: Hardware,
  closed: Pick<ReadonlySet<string>, 'has'> = new Set(),
): ReadonlyMap<RunnerId, Placement | Unplaced> {
  // Room only shrinks here: what found none finds none for the next one that wants the same.
  const without = new Map<string, Unplaced>()
  return new Map(
    wanted.map((each) => {
      const same = JSON.stringify([each.accountId, each.machineTypes, each.numGpus, each.regions])
      const found = without.get(same) ?? placeOne(each, room, hardware, closed)
      if ('kind' in found) without.set(same, found)
      else room.take({ accountId: each.accountId, placement: found })
      return [each.id, found] as const
    }),
  )
}

/** Whether a runner got a place. */
export function isPlaced(found: Placement | Unplaced | undefined): found is Placement {
  return found !== undefined && 'machineId' in found
}

function placeOne(
  wanted: Wanted,
  room: Room,
  hardware: Hardware,
  closed: Pick<ReadonlySet<string>, 'has'>,
): Placement | Unplaced {
  const { accountId, machineTypes, numGpus, regions } = wanted
  const allowedThere = machinesIn(regions, hardware)
  if (allowedThere.length === 0)
    return { kind: 'region', wanted: regions, there: hardware.machines.map(({ region }) => region) }
  const holding = (size: Size) => allowedThere.filter((machine) => couldHold(machine, size, hardware.rules))
  const possible = sizesOf(machineTypes, numGpus, hardware).filter((size) => holding(size).length > 0)
  if (possible.length === 0) return { kind: 'never', machineTypes }
  const machines = allowedThere.filter(({ id }) => !closed.has(id))
  const sizes = possible.filter((size) => holding(size).some(({ id }) => !closed.has(id)))
  if (sizes.length === 0)
    return { kind: 'maintenance', machines: [...new Set(possible.flatMap(holding).map(({ id }) => id))] }
  const { runnersPerAccount, gpusPerAccount } = hardware.rules
  if (room.runnersOf(accountId) >= runnersPerAccount) return { kind: 'account_runners', limit: runnersPerAccount }
  const held = room.gpusOf(accountId)
  const allowed = sizes.filter(({ gpus }) => gpus === 0 || held + gpus <= gpusPerAccount)
  for (const size of allowed) {
    const machine = machines.find((each) => room.lackOn(each, size) === undefined)
    if (machine !== undefined) return room.placementOn(machine, size)
  }
  const [first] = sizes
  if (allowed.length === 0 && first) return { kind: 'account_gpus', limit: gpusPerAccount, held, needs: first.gpus }
  return { kind: 'no_room', lacks: allowed.flatMap((size) => room.leastLack(machines, size)) }
}
