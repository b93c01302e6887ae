import { z } from 'zod'
import { possibleTypes, type PlacementRules } from '../../domain/hardware.ts'
import type { RunnerId } from '../../domain/ids.ts'
import type { Gpu, Machine, MachineType } from '../../domain/machine.ts'
import type { Maintenance } from '../../domain/maintenance.ts'
import type { Placement } from '../../domain/placement.ts'
import { unplacedWords } from '../../domain/unplaced-words.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'

/** A runner on a machine. */
export interface RunnerThere {
  readonly id: RunnerId
  /** `owner/name`; nothing of an app that was deleted. */
  readonly app: string | undefined
  readonly placement: Placement
}

/** A GPU, and which runner has it; nothing where that is none, or one of another account. */
export interface GpuThere extends Gpu {
  readonly runnerId: RunnerId | undefined
}

export interface MachineView extends Omit<Machine, 'gpus'> {
  /** Present while it gets no new runners. */
  readonly maintenance: Maintenance | undefined
  readonly gpus: readonly GpuThere[]
  readonly runners: readonly RunnerThere[]
}

/** A machine type, and whether a machine here could hold a runner of it when nothing else runs. */
export interface TypeView extends MachineType {
  readonly fits: boolean
}

export interface MachinesView {
  readonly machines: readonly MachineView[]
  readonly types: readonly TypeView[]
  readonly waiting: readonly { readonly id: RunnerId; readonly app: string; readonly why: string }[]
  readonly rules: PlacementRules
}

/**
 * What there is to run on, what is used of it by the caller's runners, and what those that have no place wait for. Whoever
 * looks after the installation sees the runners of every account.
 */
export const showMachines = operation(
  { permission: 'runners:read', input: z.object({}) },
  async (deps, { accountId, nickname, permissions }): Promise<MachinesView> => {
    const { hardware } = deps
    const seesAll = permissions.has('accounts:read')
    const placed = deps.runners.placed().filter((runner) => seesAll || runner.accountId === accountId)
    const there = placed.map(({ id, appId, placement }) => ({ id, app: nameOf(deps, appId), placement }))
    const fitting = new Set(possibleTypes(hardware))
    const own = await deps.runners.listing(accountId)
    return {
      machines: hardware.machines.map((machine) => viewOf(machine, there, deps.runners.maintained().get(machine.id))),
      types: [...hardware.types.values()].map((type) => ({ ...type, fits: fitting.has(type) })),
      waiting: own.flatMap(({ id, appName, waitsFor }) =>
        waitsFor ? [{ id, app: `${nickname}/${appName}`, why: unplacedWords(waitsFor) }] : [],
      ),
      rules: hardware.rules,
    }
  },
)

function viewOf(machine: Machine, all: readonly RunnerThere[], maintenance: Maintenance | undefined): MachineView {
  const runners = all.filter(({ placement }) => placement.machineId === machine.id)
  const holders = new Map(runners.flatMap(({ id, placement }) => placement.gpus.map((index) => [index, id] as const)))
  return {
    ...machine,
    maintenance,
    gpus: machine.gpus.map((gpu) => ({ ...gpu, runnerId: holders.get(gpu.index) })),
    runners,
  }
}

function nameOf({ apps }: Deps, appId: string): string | undefined {
  const app = apps.byId(appId)?.app
  return app && `${app.owner}/${app.name}`
}
