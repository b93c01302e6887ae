import { chanceOf } from './chance.ts'
import { check, type Violation } from './checker.ts'
import type { Fault } from './faults.ts'
import type { Evidence } from './history.ts'
import type { World } from './world.ts'

/** What came of some rounds of a fault. */
export interface Batch {
  readonly fault: string
  readonly seed: number
  /** The first of its rounds. */
  readonly from: number
  /** Rounds in which the fault struck, of those that were played. */
  readonly struck: number
  readonly played: number
  readonly seconds: number
  readonly acknowledged: number
  readonly executions: number
  readonly violations: readonly Violation[]
  /** All that was known, when a promise was broken. */
  readonly evidence?: Evidence
}

/** So many rounds are played before everything comes to rest and is checked. */
export const batchRounds = 50

/** How long everything may take to come to rest: the longest back-off of a retry is a minute. */
const restMs = 300_000

/** Plays rounds of some faults by turns with clients at work, lets everything come to rest, and checks. */
export async function play(
  world: World,
  faults: readonly (readonly [name: string, fault: Fault])[],
  { seed, from, rounds }: { seed: number; from: number; rounds: number },
): Promise<Batch> {
  const names = faults.map(([name]) => name).join('+')
  const began = performance.now()
  await world.begin(`${seed}/${names}/${from}`, { streamed: faults.some(([, { streamed }]) => streamed) })
  let struck = 0
  for (let round = from; round < from + rounds; round += 1) {
    const [name, fault] = faults[round % faults.length]!
    if (await fault.strike(world, chanceOf(`${seed}/${name}/${round}`))) struck += 1
  }
  world.shim?.setClock(0)
  const onFullDisk = faults.some(([, { smallDisk }]) => smallDisk)
  const evidence = { ...(await world.finish(restMs)), onFullDisk }
  const violations = check(evidence)
  return {
    fault: names,
    seed,
    from,
    struck,
    played: rounds,
    seconds: (performance.now() - began) / 1_000,
    ...sizeOf(evidence),
    violations,
    ...(violations.length > 0 && { evidence }),
  }
}

function sizeOf({ clients, ledger }: Evidence): { acknowledged: number; executions: number } {
  return {
    acknowledged: clients.filter(({ kind }) => kind === 'acknowledged').length,
    executions: ledger.filter(({ what }) => what === 'began').length,
  }
}
