import { gpusOfModel } from './gpu-model.ts'
import type { Hardware, PlacementRules, Size } from './hardware.ts'
import type { AccountId } from './ids.ts'
import type { Machine } from './machine.ts'
import type { Lack, Placement, Taken } from './placement.ts'

interface Used {
  /** Whole ones, so that ten tenths of a core are one, and nothing is left over when all is given back. */
  milliCpus: number
  memoryBytes: number
  runners: number
  readonly gpus: Set<number>
}

const milli = (cpus: number): number => Math.round(cpus * 1_000)

/** What is taken of machines, and by whom; it is counted while runners are placed. */
export class Room {
  readonly #rules: PlacementRules
  readonly #used = new Map<string, Used>()
  readonly #accounts = new Map<AccountId, { runners: number; gpus: number }>()

  constructor({ rules }: Pick<Hardware, 'rules'>) {
    this.#rules = rules
  }

  take(taken: Taken): void {
    this.#count(taken, 1)
    const { gpus } = this.#usedOf(taken.placement.machineId)
    for (const index of taken.placement.gpus) gpus.add(index)
  }

  /** What was taken before is free again. */
  giveBack(taken: Taken): void {
    this.#count(taken, -1)
    const { gpus } = this.#usedOf(taken.placement.machineId)
    for (const index of taken.placement.gpus) gpus.delete(index)
  }

  runnersOf(accountId: AccountId): number {
    return this.#accounts.get(accountId)?.runners ?? 0
  }

  gpusOf(accountId: AccountId): number {
    return this.#accounts.get(accountId)?.gpus ?? 0
  }

  /** Where it would be on a machine that lacks nothing: the free GPUs of its model with the lowest indices are its own. */
  placementOn(machine: Machine, { machineType, cpus, memoryBytes, gpu, gpus }: Size): Placement {
    const indices = gpu === undefined ? [] : this.#freeGpus(machine, gpu).slice(0, gpus)
    return { machineId: machine.id, machineType, cpus, memoryBytes, gpus: indices }
  }

  /** The first thing that a machine has too little of. */
  lackOn(machine: Machine, size: Size): Lack | undefined {
    return this.#amounts(machine, size).find(({ needs, free }) => needs > free)
  }

  /** Why none of the machines has room: what the one says that is nearest to having it. */
  leastLack(machines: readonly Machine[], size: Size): readonly Lack[] {
    const lacks = machines.map((machine) => this.lackOn(machine, size)).filter((lack) => lack !== undefined)
    return lacks.toSorted((one, other) => other.free / other.needs - one.free / one.needs).slice(0, 1)
  }

  #amounts(machine: Machine, { machineType, cpus, memoryBytes, gpu, gpus }: Size): readonly Lack[] {
    const used = this.#usedOf(machine.id)
    const { cpuOvercommit, memoryOvercommit, runnersPerMachine } = this.#rules
    const freeGpus = gpu === undefined ? 0 : this.#freeGpus(machine, gpu).length
    const lack = (of: Lack['of'], needs: number, free: number) => ({ machineType, of, needs, free: Math.max(0, free) })
    return [
      lack('gpus', gpus, freeGpus),
      lack('memory', memoryBytes, machine.memoryBytes * memoryOvercommit - used.memoryBytes),
      lack('cpus', cpus, (milli(machine.cpus * cpuOvercommit) - used.milliCpus) / 1_000),
      lack('runners', 1, runnersPerMachine - used.runners),
    ]
  }

  #count({ accountId, placement: { machineId, cpus, memoryBytes, gpus } }: Taken, sign: 1 | -1): void {
    const used = this.#usedOf(machineId)
    used.milliCpus += sign * milli(cpus)
    used.memoryBytes += sign * memoryBytes
    used.runners += sign
    const account = this.#accounts.get(accountId) ?? { runners: 0, gpus: 0 }
    this.#accounts.set(accountId, { runners: account.runners + sign, gpus: account.gpus + sign * gpus.length })
  }

  #freeGpus(machine: Machine, model: string): readonly number[] {
    const { gpus } = this.#usedOf(machine.id)
    return gpusOfModel(machine, model)
      .map(({ index }) => index)
      .filter((index) => !gpus.has(index))
  }

  #usedOf(machineId: string): Used {
    const used = this.#used.get(machineId) ?? { milliCpus: 0, memoryBytes: 0, runners: 0, gpus: new Set() }
    this.#used.set(machineId, used)
    return used
  }
}
