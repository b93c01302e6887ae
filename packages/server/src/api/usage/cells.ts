import { callerPays, nothing, summed, type UsagePart } from '../../domain/usage.ts'
import type { Cell } from '../../home/usage-meter.ts'
import type { Store } from '../../store/store.ts'
import { ownersOfKeys, runnersById, type CountedRunner, type KeyOwner } from '../../store/usage.ts'

const readTogether = 500

/** What cells add to the sums. Those of runners that are not on record, as workflows have, add nothing. */
export async function partsOfCells(cells: readonly Cell[], store: Store): Promise<readonly UsagePart[]> {
  const runners = await byId(
    cells.map(({ runnerId }) => runnerId),
    (ids) => store.read(runnersById(ids)),
  )
  const keys = await byId(
    cells.flatMap(({ keyId }) => keyId ?? []),
    (ids) => store.read(ownersOfKeys(ids)),
  )
  return summed(
    cells.flatMap((cell) => {
      const runner = runners.get(cell.runnerId)
      return runner === undefined ? [] : partsOfCell(cell, runner, keys.get(cell.keyId ?? ''))
    }),
  )
}

/** A caller's share of a runner is taken off its owner's. */
function partsOfCell(cell: Cell, runner: CountedRunner, key: KeyOwner | undefined): readonly UsagePart[] {
  const { hour, isShared, requests, units } = cell
  const { appId, accountId, revisionId, machineType, gpuCount } = runner
  const of = { appId, revisionId, machineType, hour }
  const callerId = key?.accountId ?? ''
  const keyId = key === undefined || key.isRunners ? '' : key.id
  const runnerMs = callerPays(callerId, { accountId, isShared }) ? Math.floor(cell.ms) : 0
  const gpuMs = runnerMs * gpuCount
  const callers = { ...of, callerId, keyId, runnerMs, gpuMs, requests, units }
  if (runnerMs === 0) return [callers]
  return [callers, { ...of, ...nothing, callerId: accountId, keyId: '', runnerMs: -runnerMs, gpuMs: -gpuMs }]
}

async function byId<Id extends string, Row extends { readonly id: Id }>(
  ids: readonly Id[],
  read: (ids: readonly Id[]) => Promise<readonly Row[]>,
): Promise<ReadonlyMap<Id, Row>> {
  const all = [...new Set(ids)]
  const found = new Map<Id, Row>()
  for (let at = 0; at < all.length; at += readTogether)
    for (const row of await read(all.slice(at, at + readTogether))) found.set(row.id, row)
  return found
}
